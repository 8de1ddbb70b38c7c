import Reactor
import TLSEngine

/// A TLS session under an endpoint, after its handshake.
final class TLSCodec: StreamCodec, @unchecked Sendable {
    private let session: TLSSession

    init(_ session: TLSSession) {
        self.session = session
        super.init()
    }

    override func unseal(
        _ sealed: UnsafeRawBufferPointer,
        into plain: UnsafeMutableRawBufferPointer,
        replies: UnsafeMutableRawBufferPointer
    ) -> Unsealed {
        let opened = unsafe self.session.open(sealed, into: plain, replies: replies)
        let state: State =
            switch opened.state {
            case .goesOn: .goesOn
            case .closed: .closed
            case .failed: .failed
            }
        return Unsealed(count: opened.count, replyCount: opened.replyCount, state: state)
    }

    override func seal(_ plain: UnsafeRawBufferPointer, into sealed: UnsafeMutableRawBufferPointer) -> Sealed {
        let result = unsafe self.session.seal(plain, into: sealed)
        return Sealed(taken: result.taken, written: result.written)
    }

    override func seal(endInto sealed: UnsafeMutableRawBufferPointer) -> Int {
        unsafe self.session.closing(into: sealed)
    }

    override var isWithinRecord: Bool { self.session.isWithinRecord }

    override var failureText: String? { self.session.failure.map { "TLS: \($0.text)" } }
}
