import PGWire
import Reactor
import Sessions
import Synchronization

/// What goes out in front of a client's requests, in one write with them: its parameters, its BEGIN, statements that
/// follow it. The client sees nothing of the answers, but for the values that it gets back.
struct Prelude {
    /// ReadyForQuery messages still due for it.
    var owed = 0
    /// Which of these answers, counted from the first, are of statements that follow the client; see
    /// `ServerConnection+Replay.swift`.
    var replays = 0..<0
    /// How many of the answers have come since those statements went out.
    var answered = 0
    /// What comes next answers the query that applies the client's parameters, the first of all.
    var isApplying = false
    /// It gives the client back what it has reset, and the client is told of the values.
    var isRestoring = false

    /// What comes now answers the replay of a statement. One that PostgreSQL does not take any more (its table is gone)
    /// concerns the client only when it uses it: then it does not exist.
    var isAnsweringReplay: Bool { self.replays.contains(self.answered) }

    /// One of the answers is complete.
    mutating func noteAnswer() {
        self.owed -= 1
        self.isApplying = false
        if self.replays.isEmpty { return }
        self.answered += 1
        if self.owed == 0 { self.replays = 0..<0 }
    }
}

/// Sending a prelude, and taking what answers it.
extension ServerConnection {
    /// Sends it, and enters in the books what it will bring.
    ///
    /// - Parameters:
    ///   - answers: ReadyForQuery messages.
    ///   - isExtended: messages of the extended protocol up to a Sync for each of these, else a Query.
    func sendPrelude(_ bytes: [UInt8], answers: Int = 1, isExtended: Bool = false) {
        if self.prelude.owed == 0 { self.ownLedger.reset() }
        for _ in 0..<answers {
            if isExtended {
                self.ownLedger.extendedSent()
                self.ownLedger.syncSent()
            } else {
                self.ownLedger.querySent()
                self.statements?.queryRan()
            }
        }
        self.prelude.owed += answers
        self.send(bytes)
    }

    /// Takes the answers to the gateway's own queries that went out before the client's own requests.
    func takePreludeAnswers(_ bytes: borrowing Span<UInt8>) -> Int {
        var offset = 0
        while self.prelude.owed > 0 {
            let scan = self.scanner.scan(bytes, from: offset, stopsAtReady: true, ledger: &self.ownLedger)
            offset += scan.taken
            switch scan.stop {
            case .none: return offset
            case .ready:
                self.prelude.noteAnswer()
                if !self.laterCancellers.isEmpty, self.prelude.owed == 0 || self.prelude.isAnsweringReplay {
                    self.sendLaterCancels()
                }
                guard self.prelude.owed == 0 else { continue }
                self.scanner.forgetResets()
                self.prelude.isRestoring = false
            case .parameterStatus:
                guard self.prelude.isRestoring else { continue }
                let start = scan.body.lowerBound - MessageHeader.size
                self.toClient &+= UInt64(scan.body.upperBound - start)
                self.client?.send(bytes.extracting(start..<scan.body.upperBound))
                self.client?.noteName(bytes, body: scan.body)
            case .error:
                let fields = try? ServerMessageFields.decode(body: bytes.extracting(scan.body))
                let isEnd = fields?.endsConnection ?? false
                if self.prelude.isAnsweringReplay, !isEnd { continue }
                self.preludeFailed(fields)
                return offset
            case .invalid:
                self.brokenStream()
                return offset
            }
        }
        return offset
    }

    /// The server refused a parameter that it accepted at login, or to begin a transaction: the client's requests must
    /// not run without that. Whoever asks for such a parameter next is to be told so at the login.
    private func preludeFailed(_ fields: ServerMessageFields?) {
        let client = self.client
        self.client = nil
        if let client, self.prelude.isApplying, let fields, !fields.isInterruption {
            self.pool.state.withLock { $0.parameterSets.forget(client.parameters) }
        }
        self.end("what was to precede the client's requests was refused")
        client?.checkoutFailed(fields.map { .server($0) } ?? .login("the session could not be prepared for the client"))
    }
}
