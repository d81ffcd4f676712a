"""The parts of Asterisk's configuration that follow from the call plan, as text."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

import phonenumbers

from ivr.core.codes import ADMIN, ADMIN_DIGITS, LONGER, OUTCOME, PAUSE, READY
from ivr.provision.options import ProvisionError, bind, check, check_name
from ivr.provision.peers import MODULES as PEER_MODULES
from ivr.provision.secrets import hashed_password

if TYPE_CHECKING:
    from ivr.core.plan import Agent, Plan
    from ivr.provision.options import RenderOptions, Tls
    from ivr.provision.secrets import Secrets

REALM: Final = "standardiste"
_E164: Final = re.compile(r"\+[1-9][0-9]{3,14}")
_PROMPT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_CODE: Final = re.compile(r"[1-4][1-9]?")
_REGISTRATION_MODULES: Final = ("res_pjsip_outbound_authenticator_digest.so", "res_pjsip_outbound_registration.so")
_BENCH_MODULES: Final = ("app_read.so", "app_queue.so")


def number_forms(number: str) -> tuple[str, ...]:
    """Return the ways in which an operator may write a public number (E.164) in its request.

    +33536490000 is also 33536490000, 0033536490000 and, in its own country, 0536490000.
    """
    check(number, _E164, "number")
    digits = number.removeprefix("+")
    parsed = phonenumbers.parse(number)
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return tuple(dict.fromkeys((number, digits, f"00{digits}", re.sub(r"\D", "", national))))


def numbers(plan: Plan, options: RenderOptions) -> str:
    """Return one extension for each form of each public number."""
    seen: dict[str, str] = {}
    lines = []
    reserved = [options.bench.number] if options.bench else []
    for number in [*plan.numbers, *reserved]:
        context = "bench" if number in reserved else "caller"
        lines.append(f"; {number}")
        for form in number_forms(number):
            if seen.setdefault(form, number) != number:
                raise ProvisionError(f"numbers: {form} would mean both {seen[form]} and {number}")
            lines.append(f"exten => {form},1,Goto({context},{number.removeprefix('+')},1)")
    return "\n".join(lines)


def desk(plan: Plan) -> tuple[Agent, ...]:
    """Return the agents of the general desk, each once, in the plan's order."""
    groups = (plan.groups[group] for group in plan.topics[plan.general].groups)
    names = dict.fromkeys(agent for group in groups for agent in group.agents)
    return tuple(plan.agents[name] for name in names)


def desk_phones(plan: Plan) -> str:
    """Return the dialplan lines that gather the desk's phones that are there and free."""
    return "\n".join(
        f' same => n,ExecIf($["${{DEVICE_STATE(PJSIP/{agent.endpoint})}}" = "NOT_INUSE"]'
        f"?Set(IVR_DESK=${{IVR_DESK}}&PJSIP/{agent.endpoint}))"
        for agent in desk(plan)
    )


def agents(plan: Plan, secrets: Secrets) -> str:
    """Return the endpoint, credentials and address of record of every agent."""
    return "\n".join(_agent(agent, secrets) for agent in plan.agents.values())


def _agent(agent: Agent, secrets: Secrets) -> str:
    name = f"agent-{check_name(agent.id, 'agent')}"
    # No agent's name begins so.
    auths = {name: secrets.agent_password(agent.id), f"former-{name}": secrets.agent_former(agent.id)}
    known = {auth: password for auth, password in auths.items() if password is not None}
    return "\n".join(
        (
            f"\n; {comment(agent.name)}",
            f"[{name}](agent-endpoint)\nauth = {','.join(known)}\naors = {name}",
            *(
                f"[{auth}](agent-auth)\nusername = {name}\n"
                f"password_digest = MD5:{hashed_password(name, REALM, password)}"
                for auth, password in known.items()
            ),
            f"[{name}](agent-aor)\n",
        )
    )


def ari_users(secrets: Secrets, options: RenderOptions) -> str:
    """Return who may use ARI: our worker, and, while its password is being changed, our worker with the former one."""
    return "\n".join(
        f"""[{check_name(user, "ari user")}]
type = user
read_only = no
password_format = plain
password = {password}"""
        for user, password in secrets.ari_accounts(options.ari_user)
    )


def codes(plan: Plan) -> str:
    """Return one extension for each code that the plan gives its agents."""
    if plan.agent_sentences is None:
        return "; no codes: the plan has no sentences for them"
    listed = [(READY, "ready"), *((f"{PAUSE}{key}", reason.label) for key, reason in plan.pauses.items())]
    listed += [(f"{OUTCOME}{key}", outcome.label) for key, outcome in plan.outcomes.items()]
    listed.append((LONGER, "wrap-up longer"))
    lines = [
        f"; {comment(what)}\nexten => *{check(code, _CODE, 'code')},1,Goto(code,{code},1)" for code, what in listed
    ]
    if plan.crises:
        digits = "X" * ADMIN_DIGITS
        lines.append(f"; a crisis: PIN, then a digit\nexten => _*{ADMIN}{digits},1,Goto(code,${{EXTEN:1}},1)")
    return "\n".join(lines)


def code_context(plan: Plan, options: RenderOptions) -> str:
    """Return the way of a code to the worker, and what the agent hears when there is none."""
    if plan.agent_sentences is None:
        return "; --- no codes for agents"
    return f"""; --- an agent's code on the way to the worker. Who dials is the endpoint that proved its
; password, never what the phone claims (its From).

[code]
exten => _X!,1,Set(TIMEOUT(absolute)={options.watchdog_s})
 same => n,Stasis({options.app},code,${{EXTEN}},${{CHANNEL(endpoint)}})
 ; Back here: no worker. The watchdog has bitten: a frozen one. Never silence.
 same => n,Goto(refused,1)
exten => T,1,Goto(refused,1)
exten => refused,1,Set(TIMEOUT(absolute)=0)
 same => n,Answer()
 same => n,Playback({sound(plan, options, plan.agent_sentences.refused)})
 same => n,Hangup()"""


def comment(text: str) -> str:
    """Return `text` fit for the rest of a comment line."""
    return " ".join(re.sub(r"[^\w '.,()-]", " ", text).split())


def trunk_matches(options: RenderOptions) -> str:
    """Return the addresses that identify the trunk."""
    return "\n".join(f"match = {network}" for network in options.trunk_networks)


def trunk_registration(options: RenderOptions) -> str:
    """Return our registration with the operator, when it wants one."""
    account = options.registration
    if account is None:
        return "; none: the operator knows our address"
    return f"""[trunk-registration]
type = registration
transport = transport-udp
outbound_auth = trunk-registration
server_uri = {account.server_uri}
client_uri = {account.client_uri}
; An operator that refuses us today may accept us tomorrow: never give up.
max_retries = 1000000
retry_interval = 30
forbidden_retry_interval = 300
fatal_retry_interval = 300
[trunk-registration]
type = auth
auth_type = digest
username = {account.username}
password = {account.password}"""


def tls_transport(options: RenderOptions) -> str:
    """Return the TLS transport, when there are a certificate and a port for it."""
    tls: Tls | None = options.tls
    if tls is None:
        return "; off: no certificate was given"
    return f"""[transport-tls]
type = transport
protocol = tls
bind = {bind(options.sip_host, tls.port)}
method = tlsv1_2
cert_file = {tls.certificate}
priv_key_file = {tls.private_key}"""


def media(options: RenderOptions) -> str:
    """Return what binds audio to the address of SIP: nothing else is opened, and a socket of one family is cheaper.

    Where SIP listens on every address, so does audio, and each call tells the one that it came by.
    """
    if ipaddress.ip_address(options.sip_host).is_unspecified:
        return "; SIP listens on every address, and so does audio."
    bound = f"media_address = {options.sip_host}\nbind_rtp_to_media_address = yes"
    return f"; Audio on the address of SIP and no other.\n{bound}"


def agent_media(options: RenderOptions) -> str:
    """Return how the agents' audio is protected."""
    return "sdes" if options.agent_media == "srtp" else "no"


def extra_modules(options: RenderOptions) -> str:
    """Return the modules that only some installations need."""
    wanted = (
        *(_REGISTRATION_MODULES if options.registration else ()),
        *(_BENCH_MODULES if options.bench else ()),
        *(PEER_MODULES if options.peers else ()),
    )
    return "\n".join(f"load = {module}" for module in dict.fromkeys(wanted)) or "; none"


def bench_queue(plan: Plan, options: RenderOptions) -> str:
    """Return the app_queue queue that holds every agent, for the bench alone."""
    if options.bench is None:
        return "; none: this instance is not a bench"
    members = "\n".join(f"member => PJSIP/{agent.endpoint}" for agent in plan.agents.values())
    return f"""[bench]
musicclass = hold
strategy = leastrecent
timeout = {options.bench.ring_s}
timeoutrestart = no
retry = 1
ringinuse = no
autofill = yes
wrapuptime = 0
autopause = no
joinempty = yes
leavewhenempty = no
{members}"""


def bench_dialplan(plan: Plan, options: RenderOptions) -> str:
    """Return the classic menu and queue, for the bench alone."""
    if options.bench is None:
        return "; none: this instance is not a bench"
    prompt = sound(plan, options, plan.menus[plan.root].prompt)
    return f"""[bench]
exten => {options.bench.number.removeprefix("+")},1,Answer()
 same => n,Read(IVR_KEY,{prompt},1,,1,5)
 same => n,Queue(bench,,,,600)
 same => n,Hangup()"""


def sound(plan: Plan, options: RenderOptions, prompt: str) -> str:
    """Return a prompt as Playback() takes it: absolute, without extension."""
    return f"{options.sounds_dir}/{check_name(plan.language, 'language')}/{check(prompt, _PROMPT, 'prompt')}"
