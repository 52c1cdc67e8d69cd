"""Examples of every document that is sent or answered, by its model."""

from collections.abc import Mapping

from pydantic import BaseModel

from service.web.openapi.examples.beside import BESIDE
from service.web.openapi.examples.bodies import BODIES
from service.web.openapi.examples.documents import DOCUMENTS
from service.web.openapi.examples.many import MANY
from service.web.openapi.examples.parts import Example

#: Model → name of an example → the example.
EXAMPLES: Mapping[type[BaseModel], Mapping[str, Example]] = {
    **BODIES,
    **DOCUMENTS,
    **BESIDE,
    **MANY,
}
