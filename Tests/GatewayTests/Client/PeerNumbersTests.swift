import AuthProviders
import Reactor
import Testing

@testable import Gateway

/// Texts made late of a client's address are those of the address itself.
@Suite struct PeerNumbersTests {
    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("255.255.255.255", "255.255.255.255"), ("::1", "::1"),
        ("2001:db8::1:0:0:ff", "2001:db8::1:0:0:ff"), ("::ffff:10.0.0.1", "10.0.0.1"),
    ])
    func textsAreThoseOfTheAddress(given: String, host: String) throws {
        for port: UInt16 in [0, 1, 5432, 65_535] {
            let peer = try #require(SocketAddress(numericHost: given, port: port))
            let texts = PeerNumbers.texts(of: peer)
            #expect(texts.address == peer.description)
            #expect(texts.address.hasSuffix(":\(port)"))
            #expect(texts.host == host)
        }
    }

    @Test func aUnixSocketHasItsPathAndNoHost() throws {
        let peer = try #require(SocketAddress(unixPath: "/run/client"))
        let texts = PeerNumbers.texts(of: peer)
        #expect(texts.address == "unix:/run/client")
        #expect(texts.host == nil)
    }
}
