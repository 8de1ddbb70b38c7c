package import PGWire

/// The protocol machine of one console client after its login: simple and extended query, without sockets or clock.
///
/// It answers what it knows itself and asks its caller for the rest. The caller passes whole messages to `receive(_:)`
/// one after the other; when a step says `perform`, it does that and passes the outcome to `complete(_:)`, and holds
/// back further messages meanwhile. Belongs to the worker of its connection. Source: protocol chapter, "Message Flow".
package struct ConsoleSession: Sendable {
    /// What `complete(_:)` goes on with.
    enum Pending: Sendable {
        /// A statement of a Query message, and the statements behind it.
        case query(ConsoleCommand, text: String, rest: ArraySlice<[ConsoleToken]>)
        /// The execution of a portal.
        case portal(ConsoleCommand, name: String, maximumRows: Int)
    }

    let parser: ConsoleParser
    var output = MessageWriter()
    /// By name; the unnamed one has the empty name.
    var statements: [String: ConsolePrepared] = [:]
    /// By name; the unnamed one has the empty name.
    var portals: [String: ConsolePortal] = [:]
    /// Of the open transaction.
    var savepoints = ConsoleSavepoints()
    var pending: Pending?
    /// What there is to tell the audit stream.
    var notes: [ConsoleNote] = []
    /// After an error in the extended protocol everything up to Sync is ignored.
    var isSkippingToSync = false
    /// What ReadyForQuery reports.
    package internal(set) var status = TransactionStatus.idle

    package init(facts: ConsoleFacts) {
        self.parser = ConsoleParser(facts: facts)
    }

    /// True while a request is outstanding and no message may be passed.
    package var isBusy: Bool {
        self.pending != nil
    }

    /// The most rows that the answer to the present request needs; nil for all.
    package var rowLimit: Int? { self.pendingCommand?.rowLimit }

    /// What the present request is about.
    package var arguments: [String] { self.pendingCommand?.arguments ?? [] }

    private var pendingCommand: ConsoleCommand? {
        switch self.pending {
        case .query(let command, _, _), .portal(let command, _, _): command
        case nil: nil
        }
    }

    /// Takes one message of the client. An error in it is answered, never thrown.
    package mutating func receive(_ message: WireMessage) -> ConsoleStep {
        guard !self.isBusy else {
            return self.fatal(ConsoleError(.internalError, "a message arrived before the last one was answered"))
        }
        switch message.kind {
        case FrontendMessageKind.terminate:
            return self.step(.close)
        case FrontendMessageKind.sync:
            return self.receivedSync()
        case _ where self.isSkippingToSync:
            return self.step(.receive)
        case FrontendMessageKind.query:
            return self.receivedQuery(message.body)
        case FrontendMessageKind.functionCall:
            self.fail(ConsoleError(.featureNotSupported, "function calls are not supported by the console").fields)
            return self.finishQuery()
        case FrontendMessageKind.parse, FrontendMessageKind.bind, FrontendMessageKind.describe,
            FrontendMessageKind.execute, FrontendMessageKind.close:
            return self.receivedExtended(message)
        case FrontendMessageKind.flush, FrontendMessageKind.copyData, FrontendMessageKind.copyDone,
            FrontendMessageKind.copyFail:
            // Output is never held back, so Flush has nothing to do. PostgreSQL ignores COPY messages that come late.
            return self.step(.receive)
        case let kind:
            return self.fatal(.protocolViolation("invalid frontend message type \(kind)"))
        }
    }

    /// Takes the outcome of the request of the last step. Without one nothing happens.
    package mutating func complete(_ outcome: ConsoleOutcome) -> ConsoleStep {
        guard let pending = self.pending else { return self.step(.receive) }
        self.pending = nil
        switch pending {
        case .query(let command, let text, let rest):
            return self.completedQuery(command, text: text, rest: rest, outcome)
        case .portal(let command, let name, let maximumRows):
            return self.completedPortal(command, name: name, maximumRows: maximumRows, outcome)
        }
    }

    mutating func step(_ next: ConsoleStep.Next) -> ConsoleStep {
        ConsoleStep(bytes: self.output.take(), next: next)
    }

    /// Reports an error: an open transaction becomes a failed one, and portals do not outlive it.
    mutating func fail(_ fields: ServerMessageFields) {
        self.output.errorResponse(fields)
        self.portals.removeAll()
        if self.status == .inTransaction { self.status = .failed }
    }

    private mutating func fatal(_ error: ConsoleError) -> ConsoleStep {
        var fields = error.fields
        fields.severity = .fatal
        self.fail(fields)
        return self.step(.close)
    }
}
