import PGWire
import Reactor
import Sessions

/// A reload can put a client that has prepared statements into session mode, where they belong to the session of its
/// server: that gets them, under the client's names, in front of the client's first request.
extension ServerConnection {
    /// Bytes of statements that follow a client.
    private static let replayMax = 4 * 1024 * 1024

    /// Call when the client's turn has begun.
    ///
    /// - Returns: false when its statements are larger than `replayMax`; then nothing was sent.
    func takeOverStatements(of client: ClientConnection) -> Bool {
        guard self.statements == nil, let own = client.statements else { return true }
        guard let replay = own.replay(limit: Self.replayMax) else { return false }
        client.statements = nil
        guard replay.count > 0 else { return true }
        self.prelude.answered = 0
        self.prelude.replays = self.prelude.owed..<(self.prelude.owed + replay.count)
        self.sendPrelude(replay.bytes, answers: replay.count, isExtended: true)
        return true
    }
}

extension ClientConnection {
    /// Its statements cannot follow it: it is told so before it uses one.
    func refuseReplay() {
        let text = "the pool is in session mode now, and the session's prepared statements are too large to follow it"
        self.leave(saying: .adminShutdown, text)
    }
}
