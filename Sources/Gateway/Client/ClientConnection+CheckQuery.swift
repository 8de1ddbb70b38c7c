import PGWire
import Reactor
import Sessions
import Synchronization
import Telemetry

/// `pooler_check_query`: a client without a server that asks it is told what a server of its pool has once answered.
extension ClientConnection {
    /// The client asks the check query. False when a server has to answer it, this time.
    func answerCheck() -> Bool {
        guard let pool = self.followPool() else { return false }
        let (query, parameters) = (self.home.checkQuery, self.parameters)
        guard let answer = pool.checkAnswers.withLock({ $0.answer(to: query, for: parameters) }) else {
            self.askedCheck = query
            return false
        }
        self.transactionCount &+= 1
        self.home.counters(of: pool).transactions.add(1)
        self.answerHere(query.wireLength, by: answer, pool)
        return true
    }
}

/// The answer of a server to a check query, on its way to the client and into the pool's memory.
final class CheckCapture {
    let query: CheckQuery
    let client: ClientConnection
    /// Of the client when it asked.
    let parameters: SessionParameters
    var answer: CheckAnswer

    init(_ query: CheckQuery, of client: ClientConnection, skipping skipped: Int) {
        self.query = query
        self.client = client
        self.parameters = client.parameters
        self.answer = CheckAnswer(skipping: skipped)
    }
}

extension ServerConnection {
    /// As `relay`, and keeps a copy of what came.
    func relayAndCapture(_ bytes: Span<UInt8>, into capture: CheckCapture) -> Int {
        // Within `relay` the server may go on to another client, with another capture.
        self.checkCapture = nil
        let taken = self.relay(bytes)
        switch capture.answer.take(bytes.extracting(0..<taken)) {
        case .unfit: return taken
        case .answer(let answer):
            self.pool.checkAnswers.withLock { $0.remember(answer, to: capture.query, for: capture.parameters) }
        case .incomplete:
            if self.client === capture.client, self.checkCapture == nil { self.checkCapture = capture }
        }
        return taken
    }
}
