"""Named places where a test may break this process or what is around it, to prove that harmless.

`FAULT_POINT=store.after_put` breaks the first process that gets there and makes the file
`FAULT_MARK`, which holds its number; all later ones pass. Unset, a point costs one comparison.
`FAULT_ACTION` says how it breaks:

- `kill`: it ends as power loss would have it;
- `stop`: it stands still with all its threads, until somebody sends SIGCONT;
- `tell`: it names the point on the unix socket `FAULT_SOCKET` and goes on when that has answered.
"""

import os
import signal
import socket

#: Every point there is, in the order a job meets them. The first word is the step.
POINTS = (
    "upload.before_put",
    "upload.after_put",
    "enqueue.before_commit",
    "enqueue.after_commit",
    "recover.before_mark_commit",
    "recover.before_put",
    "recover.after_put",
    "submit.before_claim_commit",
    "submit.after_intent",
    "submit.before_fence",
    "submit.before_send",
    "submit.after_send",
    "submit.before_record_commit",
    "submit.after_record",
    "submit.after_drop",
    "sweep.before_commit",
    "sweep.after_commit",
    "receive.before_commit",
    "receive.after_commit",
    "receive.before_publish",
    "receive.after_spool",
    "receive.before_replay",
    "receive.after_replay",
    "poll.before_claim_commit",
    "poll.after_claim",
    "poll.after_answer",
    "poll.before_record_commit",
    "poll.after_record",
    "store.before_claim_commit",
    "store.after_claim",
    "store.half_download",
    "store.after_download",
    "store.before_keep",
    "store.after_keep",
    "store.after_put",
    "store.before_record_commit",
    "store.after_record",
    "deliver.before_claim_commit",
    "deliver.after_claim",
    "deliver.after_send",
    "deliver.before_record_commit",
    "deliver.after_record",
    "derive.after_claim",
    "derive.after_sidecar",
    "derive.after_put",
    "derive.after_record",
)

#: How long whoever is told may take to do something about it, seconds.
_TOLD_SECONDS = 10.0

_POINT = os.environ.get("FAULT_POINT", "")


def fault_point(name: str) -> None:
    """Break here, if a test asked for it and nobody did so yet."""
    if _POINT and name == _POINT and _is_first():
        _break(name, os.environ["FAULT_ACTION"])


def _is_first() -> bool:
    """Leave our number in the file; false if another thread, or process, was here before."""
    try:
        mark = os.open(os.environ["FAULT_MARK"], os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    os.write(mark, str(os.getpid()).encode())
    os.close(mark)
    return True


def _break(name: str, action: str) -> None:
    match action:
        case "kill" | "stop":
            os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)
        case "tell":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.settimeout(_TOLD_SECONDS)
                listener.connect(os.environ["FAULT_SOCKET"])
                listener.sendall(name.encode())
                listener.recv(1)
        case _:
            raise ValueError(f"FAULT_ACTION is {action}")
