import AuthProviders
import HBA
import Reactor

/// A client's address in numbers, of which text is made for the few logins that need it. Small enough to lie in an
/// existential without a box.
struct PeerNumbers: PeerTexts {
    private let bits: SocketAddress.Bits
    private let port: UInt16

    static func texts(of peer: SocketAddress) -> any PeerTexts {
        // A unix socket may have a path, which the numbers do not have.
        guard peer.isTCP else { return GivenPeerTexts(address: peer.description, host: nil) }
        return PeerNumbers(bits: peer.bits, port: peer.port)
    }

    var address: String { SocketAddress(self.bits, port: self.port).description }
    var host: String? { IPAddress(self.bits)?.description }
}

extension IPAddress {
    /// Nil for a unix socket.
    init?(_ bits: SocketAddress.Bits) {
        switch bits {
        case .local: return nil
        case .v4(let bits): self.init(v4: bits)
        case .v6(let high, let low): self.init(v6High: high, low: low)
        }
    }
}
