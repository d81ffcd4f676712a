"""What one of our Asterisk nodes may ask of another: to ring an agent's phone, and nothing else.

A peer is known by its address and by a password that all nodes of an installation share. Without
peers nothing of this is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ivr.provision.options import ProvisionError, bind, check_name
from ivr.provision.secrets import hashed_password

if TYPE_CHECKING:
    from ivr.core.plan import Plan
    from ivr.provision.options import Peer, RenderOptions
    from ivr.provision.secrets import Secrets

MODULES: Final = ("res_pjsip_outbound_authenticator_digest.so",)
RING_MARGIN_S: Final = 5
"""The node that asks cancels in time; this is for one that died."""
_NO_AUDIO: Final = 44
"""Q.850, as Asterisk ends a channel that is silent for `rtp_timeout`."""
_END: Final = f'Hangup(${{IF($["${{DIALSTATUS}}${{CHANNEL(hangupsource)}}" = "ANSWER"]?{_NO_AUDIO}:${{HANGUPCAUSE}})}})'
"""Dial() forgets why an agent who answered is gone (22.10.1). Where nobody hung up the phone died: the caller's node
must know, since that caller is offered again."""
_NONE: Final = "; none: this node is alone"


def endpoints(secrets: Secrets, options: RenderOptions, realm: str, media: str) -> str:
    """Return the endpoint of every peer, how it proves itself and how we do, and where it is."""
    return "\n".join(_endpoint(peer, secrets, options, realm, media) for peer in options.peers) or _NONE


def _endpoint(peer: Peer, secrets: Secrets, options: RenderOptions, realm: str, media: str) -> str:
    name, own = f"node-{peer.node}", f"node-{options.node}"
    theirs, ours = (hashed_password(user, realm, secrets.node_password) for user in (name, own))
    return f"""[{name}]
type = endpoint
identify_by = ip
context = from-nodes
auth = {name}
outbound_auth = {name}-out
aors = {name}
disallow = all
allow = alaw
dtmf_mode = rfc4733
; The agent's phone shows the caller's number, or that it is hidden, as at the caller's node.
trust_id_inbound = yes
trust_id_outbound = yes
send_pai = yes
allow_transfer = no
allow_subscribe = no
allow_overlap = no
direct_media = no
rtp_symmetric = yes
{media}
timers = always
timers_sess_expires = 120
rtp_timeout = 60
rtp_timeout_hold = 300
moh_suggest = hold
[{name}]
type = identify
endpoint = {name}
match = {peer.host}
[{name}]
type = auth
auth_type = digest
realm = {realm}
supported_algorithms_uas = MD5
username = {name}
password_digest = MD5:{theirs}
[{name}-out]
type = auth
auth_type = digest
realm = {realm}
supported_algorithms_uac = MD5
username = {own}
password_digest = MD5:{ours}
; Nothing can register as a node; one that is down is known to be, and not waited for.
[{name}]
type = aor
contact = sip:{bind(peer.host, peer.port)}
qualify_frequency = {options.qualify_s}
qualify_timeout = 3.0
"""


def dialplan(plan: Plan, options: RenderOptions) -> str:
    """Return the one context that a peer's call can be in: an extension for each agent, one Dial each."""
    if not options.peers:
        return _NONE
    seconds = plan.ring_timeout_ms // 1000 + RING_MARGIN_S
    known: dict[str, str] = {}
    lines = ["[from-nodes]"]
    for agent in plan.agents.values():
        phone = f"agent-{check_name(agent.id, 'agent')}"
        other = known.setdefault(phone.replace("-", ""), phone)
        if other != phone:  # Asterisk does not see hyphens in extensions
            raise ProvisionError(f"agents: {other} and {phone} are the same for another node: rename one of them")
        lines.append(f"exten => {phone},1,Dial(PJSIP/{phone},{seconds},g)")
        lines.append(f" same => n,{_END}")
    return "\n".join(lines)
