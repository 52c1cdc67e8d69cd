"""Everything that can be wrong with a request, found before anything is stored or paid for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel, ValidationError

from service.errors import AddressForbidden, FieldError, InvalidRequest
from service.generation import Catalogue, Model, Quote, quote, unknown_model, validate_input
from service.inputs import Examined, Inputs
from service.steps.enqueue.body import Asking, JobBody, field_errors
from service.steps.enqueue.request import JobRequest

REFUSED = "The job was not accepted; nothing was spent."


class AddressCheck(Protocol):
    """Says whether a caller's address may be called at all."""

    def check(self, url: str) -> None:
        """Raise AddressForbidden if it may not."""


@dataclass(frozen=True)
class Checked:
    """What a request means: the model, who serves it, and the input as it is kept."""

    model: Model
    provider: str
    cleaned: dict[str, Any]
    examined: Examined

    @property
    def quote(self) -> Quote:
        """What it will cost."""
        return quote(self.model, self.cleaned, self.examined.sizes)


@dataclass
class Findings:
    """What was read of a request so far, and all that is wrong with it."""

    model: Model | None = None
    provider: str | None = None
    cleaned: dict[str, Any] = field(default_factory=dict)
    examined: Examined | None = None
    errors: list[FieldError] = field(default_factory=list)

    def whole(self, refusal: str) -> Checked:
        """Return what the request means.

        Raises:
            InvalidRequest: with every error.
        """
        if self.errors or self.model is None or self.provider is None or self.examined is None:
            raise InvalidRequest(refusal, self.errors)
        return Checked(self.model, self.provider, self.cleaned, self.examined)


@dataclass(frozen=True)
class Check:
    """Checks requests; stores and sends nothing."""

    catalogue: Catalogue
    addresses: AddressCheck
    inputs: Inputs
    #: Those that we pay, by preference: a model goes to the first that serves it.
    providers: Sequence[str]

    def read(
        self, asking: Asking, raw: Mapping[str, Any], idempotency_key: str | None
    ) -> JobRequest:
        """Return what a caller asks for.

        Raises:
            InvalidRequest: it has the wrong shape; with every error, those in the fields of the
                right shape included.
        """
        try:
            body = JobBody.model_validate(raw)
        except ValidationError as error:
            found = self.all_errors(error, JobBody, raw, asking.project_id)
            raise InvalidRequest(REFUSED, found) from None
        return body.request(raw, asking, idempotency_key)

    def all_errors(
        self,
        error: ValidationError,
        model: type[BaseModel],
        raw: Mapping[str, Any],
        project_id: UUID,
    ) -> list[FieldError]:
        """Return pydantic's findings, and ours in the fields of the right shape."""
        misshapen = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
        read = {name: value for name, value in raw.items() if name not in misshapen}
        found = self.examine(
            project_id,
            read.get("model"),
            read.get("input"),
            provider=read.get("provider"),
            callback_url=read.get("callback_url"),
        )
        return field_errors(error, model) + found.errors

    def examine(
        self,
        project_id: UUID,
        model_name: str | None,
        given: Mapping[str, Any] | None,
        *,
        provider: str | None = None,
        callback_url: str | None = None,
    ) -> Findings:
        """Find every error; None stands for a part that is not there or could not be read.

        Raises:
            DatabaseUnavailable: what the input's ids name could not be looked up.
        """
        found = Findings()
        if model_name is not None:
            found.model = self.catalogue.get(model_name)
            if found.model is None:
                found.errors.append(unknown_model(model_name))
        self._choose(found, provider)
        if found.model is not None and given is not None:
            found.cleaned, wrong = validate_input(found.model, given)
            found.examined = self.inputs.examine(project_id, found.model, found.cleaned)
            found.errors += wrong + found.examined.errors
        if callback_url is not None:
            found.errors += self.address_errors(callback_url)
        return found

    def address_errors(self, callback_url: str) -> list[FieldError]:
        """Say why an address may not be called, if so."""
        try:
            self.addresses.check(callback_url)
        except AddressForbidden as error:
            return [FieldError("/callback_url", str(error))]
        return []

    def price(
        self,
        project_id: UUID,
        model_name: str,
        given: Mapping[str, Any],
        provider: str | None = None,
    ) -> Quote:
        """Return what a job would cost.

        Raises:
            InvalidRequest: it would not be accepted; with every field that is wrong.
            DatabaseUnavailable: what the input's ids name could not be looked up.
        """
        found = self.examine(project_id, model_name, given, provider=provider)
        return found.whole("Such a job would not be accepted, so it has no price.").quote

    def _choose(self, found: Findings, wanted: str | None) -> None:
        """Name who is paid: the one that was asked for, or the first that serves the model."""
        if wanted is not None and wanted not in self.providers:
            known = ", ".join(self.providers)
            found.errors.append(FieldError("/provider", f"is not configured here; {known} is"))
            return
        if found.model is None:
            return
        serving = [name for name in self.providers if name in found.model.providers]
        if wanted is None and not serving:
            others = " or ".join(found.model.providers)
            detail = f"is served by {others}, which is not configured here"
            found.errors.append(FieldError("/model", detail))
        elif wanted is not None and wanted not in serving:
            instead = f"; {' and '.join(serving)} does" if serving else ""
            detail = f"{wanted} does not serve {found.model.name}{instead}"
            found.errors.append(FieldError("/provider", detail))
        else:
            found.provider = wanted or serving[0]
