import PGWire
import Reactor
import Sessions

/// What goes out in front of a client's requests, in one write with them: its parameters, its BEGIN, statements that
/// follow it. The client sees nothing of the answers, but for the values that it gets back.
extension ServerConnection {
    /// Sends it, and enters in the books what it will bring.
    ///
    /// - Parameters:
    ///   - answers: ReadyForQuery messages.
    ///   - isExtended: messages of the extended protocol up to a Sync for each of these, else a Query.
    func sendPrelude(_ bytes: [UInt8], answers: Int = 1, isExtended: Bool = false) {
        if self.preludeOwed == 0 { self.errandLedger.reset() }
        for _ in 0..<answers {
            if isExtended {
                self.errandLedger.extendedSent()
                self.errandLedger.syncSent()
            } else {
                self.errandLedger.querySent()
                self.statements?.queryRan()
            }
        }
        self.preludeOwed += answers
        self.send(bytes)
    }

    /// Takes the answers to the gateway's own queries that went out before the client's own requests.
    func takePreludeAnswers(_ bytes: borrowing Span<UInt8>) -> Int {
        var offset = 0
        while self.preludeOwed > 0 {
            let scan = self.scanner.scan(bytes, from: offset, stopsAtReady: true, ledger: &self.errandLedger)
            offset += scan.taken
            switch scan.stop {
            case .none: return offset
            case .ready:
                self.notePreludeAnswer()
                if !self.laterCancellers.isEmpty, self.preludeOwed == 0 || self.isAnsweringReplay {
                    self.sendLaterCancels()
                }
                guard self.preludeOwed == 0 else { continue }
                self.scanner.forgetResets()
                self.isRestoring = false
            case .parameterStatus:
                guard self.isRestoring else { continue }
                let start = scan.body.lowerBound - MessageHeader.size
                self.toClient &+= UInt64(scan.body.upperBound - start)
                self.client?.send(bytes.extracting(start..<scan.body.upperBound))
            case .error:
                let fields = try? ServerMessageFields.decode(body: bytes.extracting(scan.body))
                let isEnd = fields?.endsConnection ?? false
                if self.isAnsweringReplay, !isEnd { continue }
                self.preludeFailed(fields)
                return offset
            case .invalid:
                self.brokenStream()
                return offset
            }
        }
        return offset
    }

    /// One of the answers in front of the client's own is complete.
    private func notePreludeAnswer() {
        self.preludeOwed -= 1
        if self.replays.isEmpty { return }
        self.preludeAnswered += 1
        if self.preludeOwed == 0 { self.replays = 0..<0 }
    }

    /// The server refused a parameter that it accepted at login, or to begin a transaction: the client's requests must
    /// not run without that.
    private func preludeFailed(_ fields: ServerMessageFields?) {
        let client = self.client
        self.client = nil
        self.retire("what was to precede the client's requests was refused")
        client?.checkoutFailed(fields.map { .server($0) } ?? .login("the session could not be prepared for the client"))
    }
}
