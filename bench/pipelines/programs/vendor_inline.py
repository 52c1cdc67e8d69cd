"""As a vendor's sample shows it: no queue, everything happens while a request is answered."""

from pipelines.programs import plain


def store_and_deliver(job_id: str, image_url: str) -> None:
    """Copy the image and tell the caller, while upstream waits."""
    plain.store(job_id, image_url)
    plain.deliver(job_id)


web = plain.application(begin=plain.pay, end=store_and_deliver)
