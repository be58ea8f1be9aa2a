"""A Kamailio as an operator's edge: mutual TLS with other edges, found by them and finding them by
DNS. Its configuration is what README recommends to whoever peers with Kamailio alone."""

import glob
import os
import re
import socket

from .dns import find_program
from .plan import DNS_PORT, SIP_PORT, TLS_PORT
from .process import LabError, Program, run, wait_until
from .sip import UdpAgent, request

CONFIG = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
alias="{domain}"
dns_try_naptr=yes
dns_tls_pref=40
dns_tcp_pref=20
dns_udp_pref=10
use_dns_failover=yes
enable_tls=yes
tcp_connect_timeout=3
listen=udp:{edge}:{sip_port}
listen=tls:{edge}:{tls_port}

mpath="{modules}/"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "htable.so"
loadmodule "exec.so"
loadmodule "xlog.so"

modparam("tls", "config", "{tls_config}")
modparam("tls", "xavp_cfg", "tls")
modparam("tm", "fr_timer", 5000)
modparam("rr", "append_fromtag", 1)
modparam("htable", "htable", "judged=>size=8;autoexpire=3600")

request_route {{
    if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    xlog("L_NOTICE", "edge: $rm $ru from $si:$sp over $proto\\n");
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if ($proto == "tls") route(PEER);
    if (has_totag()) {{
        if (loose_route()) {{
            if (is_method("INVITE|SUBSCRIBE|UPDATE|NOTIFY|REFER")) record_route();
            if (!t_relay()) sl_reply_error();
            exit;
        }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here");
        exit;
    }}
    t_check_trans();
    remove_hf("Route");
    if (is_method("INVITE|SUBSCRIBE|REFER")) record_route();
    if ($proto == "tls") {{                     # from a peer: for our own domain only
        if ($rd != "{domain}") {{ sl_send_reply("403", "Not our domain"); exit; }}
        $du = "{core}";
    }} else if ($si != "{core_ip}" || $fd != "{domain}") {{
        sl_send_reply("403", "Not a user here");
        exit;
    }} else if ($rd != "{domain}") {{           # to whom DNS names, over TLS and by this name
        $xavp(tls=>server_name) = $rd;
    }}
    if (!t_relay()) sl_reply_error();
}}

# A peer may speak for the domain that its certificate proves.
route[PEER] {{
    if ($sht(judged=>$conid) == $null) {{  # once for each connection
        exec_avp("{judge} '$tls_peer_raw_cert'", "$avp(verdict)");
        $sht(judged=>$conid) = $avp(verdict);
    }}
    if ($sht(judged=>$conid) != "good") {{
        sl_send_reply("403", "Not trusted here");
        exit;
    }}
    if (!has_totag() && $tls_peer_san_uri != "sip:" + $fd && $tls_peer_san_hostname != $fd) {{
        sl_send_reply("403", "The certificate does not prove the caller's domain");
        exit;
    }}
}}
"""

TLS_CONFIG = """\
[server:default]
method = TLSv1.2+
private_key = {key}
certificate = {chain}
ca_list = {anchors}
verify_client = {verify_client}

[client:default]
method = TLSv1.2+
private_key = {key}
certificate = {chain}
ca_list = {anchors}
verify_certificate = yes
require_certificate = yes
"""

# What Kamailio cannot do itself: judge a chain for any purpose. Certificates between the anchors
# and the leaf would be given with -untrusted.
JUDGE = """\
#!/bin/sh
printf '%s\\n' "$1" | openssl verify -purpose any -CAfile "{anchors}" >&2 && echo good || echo bad
"""


# A core as operators build them: its edges are a group of the dispatcher module, which takes an
# edge out of service that does not answer its OPTIONS, answers 503, or lets a call time out. A call
# that is answered 302 by the other operator is followed here, by the core of the caller.
CORE = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
auto_aliases=no
alias="{domain}"
dns=no
rev_dns=no
disable_tcp=yes
listen=udp:{core}:{sip_port}

mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "dispatcher.so"
loadmodule "acc.so"
loadmodule "uac_redirect.so"

modparam("tm", "fr_timer", 4000)
modparam("tm", "failure_reply_mode", 3)
modparam("rr", "append_fromtag", 1)
modparam("dispatcher", "list_file", "{list}")
modparam("dispatcher", "ds_ping_interval", 1)
modparam("dispatcher", "ds_probing_mode", 1)
modparam("dispatcher", "ds_probing_threshold", 1)
modparam("dispatcher", "ds_ping_reply_codes", "class=2")
modparam("dispatcher", "xavp_dst", "_dsdst_")

request_route {{
    if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ if (!t_relay()) sl_reply_error(); exit; }}
        if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    t_check_trans();
    remove_hf("Route");
    if (is_method("INVITE")) record_route();
    if ($si != "{phone}") {{                    # from the edge
        if ($rd != "{domain}") {{ sl_send_reply("403", "Not our domain"); exit; }}
        if ($rU == "{forwarded}") {{            # never by a call of our own under a foreign name
            $ru = "sip:{user}@{domain}";
            sl_send_reply("302", "Moved Temporarily");
            exit;
        }}
        $du = "sip:{phone}:{sip_port}";
        t_relay();
        exit;
    }}
    route(EDGE);
}}

route[EDGE] {{
    t_on_failure("EDGE");
    if (!ds_select_dst("1", "4")) {{ send_reply("500", "No edge in service"); exit; }}
    t_relay();
}}

failure_route[EDGE] {{
    if (t_is_canceled()) exit;
    if (t_check_status("503") || (t_branch_timeout() && !t_branch_replied())) ds_mark_dst("ip");
    if (t_check_status("302") && get_redirects("1:1")) {{
        t_on_failure("EDGE");
        t_on_branch("REDIRECTED");
        t_relay();
    }}
}}

branch_route[REDIRECTED] {{
    $du = "sip:{edge}:{sip_port}";
}}

event_route[dispatcher:dst-down] {{
    xlog("L_NOTICE", "edge out of service: $du\\n");
}}

event_route[dispatcher:dst-up] {{
    xlog("L_NOTICE", "edge in service: $du\\n");
}}
"""


# A core that forks: each call rings at two phones at once. It forgets a call one second after its
# end, and passes on without state what comes of it later.
FORKING = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
auto_aliases=no
alias="{domain}"
dns=no
rev_dns=no
disable_tcp=yes
listen=udp:{core}:{sip_port}

mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "corex.so"
loadmodule "textops.so"
loadmodule "siputils.so"

modparam("tm", "wt_timer", 1000)
modparam("rr", "append_fromtag", 1)

request_route {{
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) t_relay();
        else if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    if (!is_method("INVITE")) {{ sl_send_reply("200", "OK"); exit; }}
    t_check_trans();
    remove_hf("Route");
    record_route();
    $ru = "sip:{user}@{phones[0]}:{sip_port}";
    append_branch("sip:{user}@{phones[1]}:{sip_port}");
    t_relay();
}}
"""


# What a listing of README leaves to the operator's own configuration; no phone has credentials.
LISTED_HEAD = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
alias="{domain}"
dns=no
rev_dns=no
listen=udp:{core}:{port}
mpath="{modules}/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
"""
LISTED_BEGIN = """\
    if (!mf_process_maxfwd_header("70")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) { t_relay(); exit; }
        if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }
    if (is_method("REGISTER")) { save("location"); exit; }
"""


def module_directory():
    for place in ("/usr/lib", "/usr/lib/*-linux-*", "/usr/lib64"):
        for found in glob.glob(place + "/kamailio/modules/tm.so"):
            return os.path.dirname(found)
    raise LabError("Kamailio's modules are not installed (Debian package kamailio)")


class KamailioEdge:
    """In the place of a junctord of this operator.

    core            the core's address; the operator's phone where none is given
    verify_client   Kamailio's way to judge those who connect: "on" demands the clientAuth usage,
                    "optional_no_ca" leaves it to the configuration"""

    def __init__(self, operator, plan, directory, pki, certificate, core=None,
                 verify_client="optional_no_ca"):
        self.operator = operator
        self.plan = plan
        self.directory = directory
        self.pki = pki
        self.certificate = certificate
        self.core = core or operator.phone
        self.verify_client = verify_client
        self.program = Program(
            "Kamailio", [find_program("kamailio"), "-DD", "-E", "-m", "32", "-M", "4",
                         "-Y", directory, "-f", self.path("kamailio.cfg")],
            self.path("log"), env={**os.environ, "LD_PRELOAD": self.path("resolv_port.so"),
                                   "LAB_NAMESERVER": f"{plan.resolver} {DNS_PORT}"})

    def path(self, name):
        return os.path.join(self.directory, name)

    def configure(self):
        os.makedirs(self.directory, exist_ok=True)
        run(["cc", "-shared", "-fPIC", "-o", self.path("resolv_port.so"),
             os.path.join(os.path.dirname(__file__), "resolv_port.c")])
        self._write("tls.cfg", TLS_CONFIG.format(
            key=self.pki.path(self.certificate + ".key"), anchors=self.pki.anchors,
            chain=self.pki.path(self.certificate + ".pem"), verify_client=self.verify_client))
        self._write("judge", JUDGE.format(anchors=self.pki.anchors))
        os.chmod(self.path("judge"), 0o755)
        self._write("kamailio.cfg", CONFIG.format(
            domain=self.operator.domain, edge=self.operator.edge, sip_port=SIP_PORT,
            tls_port=TLS_PORT, modules=module_directory(), tls_config=self.path("tls.cfg"),
            judge=self.path("judge"), core_ip=self.core,
            core=f"sip:{self.core}:{SIP_PORT};transport=udp"))

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def start(self):
        self.program.start()

    def ready(self):
        """Its TCP side takes a connection; by then the workers are there."""
        try:
            socket.create_connection((self.operator.edge, TLS_PORT), 0.5).close()
        except OSError:
            return False
        return True


def core_program(operator, directory):
    return Program(
        f"core {operator.letter.upper()}",
        [find_program("kamailio"), "-DD", "-E", "-m", "32", "-M", "4", "-Y", directory,
         "-f", os.path.join(directory, "kamailio.cfg")], os.path.join(directory, "log"))


class KamailioCore:
    """The core of an operator, between its edge and its phone. `forwarded`: a user whose calls go
    to the operator's own user instead."""

    def __init__(self, operator, directory, forwarded):
        self.operator = operator
        self.directory = directory
        self.forwarded = forwarded
        self.address = operator.network + "3"
        self.program = core_program(operator, directory)

    @property
    def uri(self):
        return f"sip:{self.address}:{SIP_PORT};transport=udp"

    def configure(self):
        os.makedirs(self.directory, exist_ok=True)
        operator = self.operator
        edges = os.path.join(self.directory, "edges")
        with open(edges, "w", encoding="ascii") as file:
            file.write(f"1 sip:{operator.edge}:{SIP_PORT}\n")
        with open(os.path.join(self.directory, "kamailio.cfg"), "w", encoding="ascii") as file:
            file.write(CORE.format(domain=operator.domain, core=self.address, sip_port=SIP_PORT,
                                   edge=operator.edge, modules=module_directory(), list=edges,
                                   phone=operator.phone,
                                   user=operator.user, forwarded=self.forwarded))

    def start(self):
        self.program.start()

    def changes(self):
        """What became of its edge, in order."""
        return re.findall(r"edge ((?:out of|in) service)", self.program.log_text())


class ForkingCore:
    """The core of an operator that rings two phones of its user in parallel."""

    def __init__(self, operator, directory):
        self.operator = operator
        self.directory = directory
        self.address = operator.network + "3"
        self.phones = (operator.network + "11", operator.network + "12")
        self.program = core_program(operator, directory)

    @property
    def uri(self):
        return f"sip:{self.address}:{SIP_PORT};transport=udp"

    def configure(self):
        os.makedirs(self.directory, exist_ok=True)
        with open(os.path.join(self.directory, "kamailio.cfg"), "w", encoding="ascii") as file:
            file.write(FORKING.format(domain=self.operator.domain, core=self.address,
                                      sip_port=SIP_PORT, modules=module_directory(),
                                      user=self.operator.user, phones=self.phones))

    def start(self):
        """And waits until it answers."""
        self.program.start()
        with UdpAgent(self.operator.phone, 0) as agent:
            def answers():
                agent.send(request("OPTIONS", self.uri, agent, "sip:lab@" + self.operator.domain),
                           (self.address, SIP_PORT))
                return agent.poll(200, 0.1)
            wait_until(answers, "the core answers", watch=[self.program])


class ListedCore:
    """The core of an operator as README lists it: `listing` has the addresses and the domain of its
    example, and "..." where the operator's own lines stand. It has the edge's address or its own."""

    def __init__(self, operator, directory, listing, beside_edge):
        self.operator = operator
        self.directory = directory
        self.listing = listing
        self.address = operator.edge if beside_edge else operator.network + "3"
        self.port = SIP_PORT + 10 if beside_edge else SIP_PORT
        self.program = core_program(operator, directory)

    @property
    def uri(self):
        return f"sip:{self.address}:{self.port};transport=tcp"

    def configure(self):
        os.makedirs(self.directory, exist_ok=True)
        head = LISTED_HEAD.format(domain=self.operator.domain, core=self.address, port=self.port,
                                  modules=module_directory())
        listing, count = re.subn(r"^    \.\.\. .*\n(?: +#.*\n)*", lambda _: LISTED_BEGIN,
                                 self.listing, flags=re.MULTILINE)
        if count != 1:
            raise LabError("the listing has not one place for an operator's own lines")
        for example, here in (("10.0.0.1:5060", f"{self.address}:{self.port}"),
                              ("10.0.0.2", self.operator.edge),
                              ("opa.example", self.operator.domain)):
            listing = listing.replace(example, here)
        with open(os.path.join(self.directory, "kamailio.cfg"), "w", encoding="ascii") as file:
            file.write(head + listing)

    def ready(self):
        try:
            socket.create_connection((self.address, self.port), 0.5).close()
        except OSError:
            return False
        return True
