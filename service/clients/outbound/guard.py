"""The address guard: where a request of ours may go when somebody else named the place."""

from collections.abc import Collection, Sequence
from ipaddress import ip_address

from service.clients.outbound.addresses import Address, Network, is_public
from service.clients.outbound.resolve import Lookup, Resolver, system_lookup
from service.clients.outbound.target import Target, parse_target
from service.errors import AddressForbidden, NameNotResolved

_CHECK_SECONDS = 2.0  # what a caller's request may wait for DNS


class AddressGuard:
    """Refuses URLs that lead, or could be read to lead, into somebody's network.

    `allowed_networks` is the operator's word: an address inside passes whatever the tables say, on
    any port, and so does a local, special-use or own name all of whose addresses lie inside. What
    is spelled in an unusual way is refused all the same. `own_names` are this service's host names.
    `lookup` asks DNS.
    """

    def __init__(
        self,
        allowed_networks: Sequence[Network],
        *,
        own_names: Collection[str] = (),
        lookup: Lookup = system_lookup,
    ) -> None:
        self._allowed_networks = tuple(allowed_networks)
        self._own_names = frozenset(name.lower() for name in own_names)
        self._lookup = lookup
        self._resolver = Resolver(lookup)

    def apart(self) -> "AddressGuard":
        """Return a guard with the same rules whose look-ups wait for none of this one's."""
        return AddressGuard(self._allowed_networks, own_names=self._own_names, lookup=self._lookup)

    def parse(self, url: str) -> Target:
        """Judge all that can be judged without DNS: form, port, name, and an address written out.

        Raises:
            AddressForbidden: the message names the rule, for the caller to act on.
        """
        target = parse_target(url, self._own_names)
        if target.address is not None:
            self._admit(target, target.address)
        elif target.restriction is not None and not self._allowed_networks:
            raise AddressForbidden(target.restriction)
        return target

    def resolve(self, target: Target, timeout_seconds: float) -> list[Address]:
        """Look the name up once and judge every answer; one bad address refuses them all.

        Raises:
            NameNotResolved: try again later.
            AddressForbidden: the name leads where no request may go; which address is not said.
        """
        if target.address is not None:
            return [target.address]
        addresses = [ip_address(text) for text in self._resolver(target.host, timeout_seconds)]
        for address in addresses:
            self._admit(target, address)
        return list(dict.fromkeys(addresses))

    def check(self, url: str) -> None:
        """Judge `url` before it is accepted; a name that does not resolve today may tomorrow.

        Waits at most two seconds for DNS.

        Raises:
            AddressForbidden: as `parse` and `resolve`.
        """
        target = self.parse(url)
        try:
            self.resolve(target, _CHECK_SECONDS)
        except NameNotResolved:
            if target.restriction is not None:
                raise AddressForbidden(target.restriction) from None

    def _admit(self, target: Target, address: Address) -> None:
        if any(address in network for network in self._allowed_networks):
            return
        if target.restriction is not None:
            raise AddressForbidden(target.restriction)
        if not is_public(address):
            raise AddressForbidden(
                f"{target.host} is not a public address"
                if target.address
                else f"{target.host} resolves to an address that is not public"
            )
