import Logging
import PGWire
import Reactor
import Sessions

/// What a client of the console needs beyond any other. Belongs to the client's worker, on which its tasks run, too.
final class ConsoleState: @unchecked Sendable {
    var session: ConsoleSession
    var isPerforming = false

    init(session: ConsoleSession) { self.session = session }
}

/// A client that asked for the console: its messages are answered here, one after the other.
extension ClientConnection {
    func welcomeToConsole(_ login: LoginState) {
        guard self.isOpen, self.phase == .login else { return }
        let facts = ConsoleFacts(version: Gateway.version, database: self.database, user: self.user)
        var writer = MessageWriter()
        writer.authenticationOk()
        for parameter in facts.parameterStatus { writer.parameterStatus(name: parameter.name, value: parameter.value) }
        writer.backendKeyData(
            processID: self.number,
            secret: self.gateway.cancelKeys.makeKey(for: self, version: login.version)
        )
        writer.readyForQuery(.idle)
        self.auditAdmitted(login, pool: nil)
        let identity = login.identity
        self.login = nil
        self.console = ConsoleState(session: ConsoleSession(facts: facts))
        self.wipesReceived = false
        self.clearDeadline()
        self.phase = .console
        self.beginExpiry(identity)
        if self.gateway.snapshot.logsConnections {
            self.log.info("console client logged in", metadata: self.logMetadata(["rule": .string(login.rule)]))
        }
        self.send(writer.bytes)
        self.resumeReading()
    }

    func consoleReceived(_ bytes: Span<UInt8>) -> Int {
        var offset = 0
        while let console = self.console, self.phase == .console {
            if console.isPerforming || self.unsentCount > ServerConnection.clientBacklog {
                self.pauseReading()
                return offset
            }
            guard let header = MessageHeader.read(bytes, at: offset) else { return offset }
            guard header.isValid, header.bodyLength <= ConsoleLimits.messageBytes else {
                self.refuseMessage("invalid message length")
                return bytes.count
            }
            guard bytes.count - offset >= header.wireLength else { return offset }
            let body = [UInt8](copying: bytes.extracting((offset + MessageHeader.size)..<(offset + header.wireLength)))
            offset += header.wireLength
            self.perform(console.session.receive(WireMessage(kind: header.kind, body: body)), console: console)
        }
        return offset
    }

    private func perform(_ step: ConsoleStep, console: ConsoleState) {
        self.noteCommands(console.session.takeNotes())
        if !step.bytes.isEmpty { self.send(step.bytes) }
        switch step.next {
        case .receive: return
        case .close: self.goQuietly()
        case .perform(let request):
            console.isPerforming = true
            self.pauseReading()
            let arguments = console.session.arguments
            if let command = request.changingCommand {
                let words = ([command] + arguments).joined(separator: " ")
                self.log.notice("console command", metadata: self.logMetadata(["command": .string(words)]))
            }
            Task(executorPreference: self.home.worker) {
                let limit = console.session.rowLimit
                let outcome = await self.gateway.answer(request, arguments, limit: limit, home: self.home)
                self.performed(outcome, console: console)
            }
        }
    }

    /// The session has dealt with statements.
    private func noteCommands(_ notes: [ConsoleNote]) {
        self.queryCount &+= UInt64(notes.count)
        for note in notes where note.sqlState != nil { self.errorCount &+= 1 }
        self.auditCommands(notes)
    }

    private func performed(_ outcome: ConsoleOutcome, console: ConsoleState) {
        console.isPerforming = false
        let step = console.session.complete(outcome)
        // Told also when the client has not waited for the answer.
        self.noteCommands(console.session.takeNotes())
        guard self.console === console, self.phase == .console else { return }
        self.perform(step, console: console)
        if !console.isPerforming, self.phase == .console { self.resumeReading() }
    }
}
