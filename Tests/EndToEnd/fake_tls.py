"""The scripted server of `fakeserver`, inside TLS: honest handshakes, and every way to spoil one.

    with FakeServer(tls_script(serve)) as server: ...

Scripts get a `Peer` whose socket is secured; `os.write` to its descriptor sends bytes that are no TLS.
"""

import _ssl
import ctypes
import functools
import socket
import ssl

from certificates import authority
from fakeserver import Closed, Peer
from wire import SSL_REQUEST, message


@functools.cache
def context(certificate=None, alpn=(), version=None, tickets=2, on_name=None):
    """The server's side of TLS. `on_name` is called with the host name that the gateway asks for (SNI)."""
    certificate = certificate or authority("databases").server()
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.load_cert_chain(certificate.certificate, certificate.key)
    result.num_tickets = tickets
    if alpn:
        result.set_alpn_protocols(list(alpn))
    if version:
        result.minimum_version = result.maximum_version = version
    if on_name:
        result.sni_callback = lambda _, name, __: on_name(name)
    return result


def asked(peer):
    """Reads the request for TLS."""
    packet = peer.exactly(8)
    assert packet == SSL_REQUEST, packet


def hello(peer):
    """Takes the request and the first record of the handshake."""
    asked(peer)
    peer.send(b"S")
    head = peer.exactly(5)
    assert head[0] == 0x16, head
    peer.exactly(int.from_bytes(head[3:], "big"))


def secure(peer, **options):
    """The handshake; from here on the peer speaks inside TLS."""
    try:
        peer.socket = context(**options).wrap_socket(peer.socket, server_side=True, suppress_ragged_eofs=False)
    except (ssl.SSLError, OSError) as problem:
        peer.server.refusals.append(str(problem))
        raise Closed(f"no handshake: {problem}") from problem


def tls_script(script, is_direct=False, **options):
    """`script` inside TLS."""

    def run(peer):
        if not hasattr(peer.server, "refusals"):
            peer.server.refusals = []
        if not is_direct:
            asked(peer)
            peer.send(b"S")
        secure(peer, **options)
        script(peer)

    return run


class Session:
    """The SSL object of a peer, for what Python has no word for. Holds it: the end of a test takes it from the socket
    while the script is still at work on it."""

    def __init__(self, peer):
        self.library = ctypes.CDLL(getattr(_ssl, "__file__", None))
        self.owner = peer.socket._sslobj
        if self.owner is None:
            raise Closed("the test is over")
        self.pointer = ctypes.c_void_p.from_address(id(self.owner) + 24)  # PySSLSocket: head, socket, SSL *.
        assert self.library.SSL_get_SSL_CTX(self.pointer), "the layout of PySSLSocket has changed"

    def send_out(self):
        assert self.library.SSL_do_handshake(self.pointer) == 1


def update_keys(peer):
    """A KeyUpdate that asks for one in return (RFC 8446, 4.6.3)."""
    session = Session(peer)
    assert session.library.SSL_key_update(session.pointer, 1) == 1
    session.send_out()


def new_tickets(peer, count):
    """So many session tickets, each by itself, which nobody has asked for (RFC 8446, 4.6.1)."""
    session = Session(peer)
    for _ in range(count):
        assert session.library.SSL_new_session_ticket(session.pointer) == 1
        session.send_out()


def middle(upstream, certificate, alter=lambda mechanisms: mechanisms):
    """A man in the middle with a certificate of his own, who passes on all that is said between the gateway and
    `upstream`, both sides inside TLS. `alter` maps the SASL mechanisms that the server offers."""
    outgoing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing.check_hostname, outgoing.verify_mode = False, ssl.CERT_NONE

    def script(peer):
        plain = socket.create_connection((upstream.host, upstream.port), 10)
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        server = Peer(outgoing.wrap_socket(plain), peer.server)
        length = peer.exactly(4)
        server.send(length + peer.exactly(int.from_bytes(length, "big") - 4))
        while True:
            answer = server.receive()
            body = answer.body
            if answer.kind == "R" and body[:4] == b"\0\0\0\x0a":
                body = body[:4] + alter(body[4:])
            peer.send(message(answer.kind, body))
            if answer.kind in "ZE" or answer.kind == "R" and body[:4] in (b"\0\0\0\x0a", b"\0\0\0\x0b"):
                question = peer.receive()
                server.send(message(question.kind, question.body))

    return tls_script(script, certificate=certificate)
