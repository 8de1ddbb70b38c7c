import AuthProviders
import HBA
import Logging
import PGWire
import Reactor
import Synchronization
import Telemetry

/// What the audit stream is told about a client. Each costs one atomic load when nobody wants records.
extension ClientConnection {
    /// The login went well. Called once, before the login state is let go.
    func auditAdmitted(_ login: LoginState, pool: Pool?) {
        self.auditSubject = self.auditLogin(login, pool: pool, refusal: nil)
    }

    /// The login was refused.
    func auditRefused(_ failure: AuthFailure, login: LoginState) {
        _ = self.auditLogin(login, pool: login.pool, refusal: failure)
    }

    private func auditLogin(_ login: LoginState, pool: Pool?, refusal: AuthFailure?) -> AuditSubject? {
        guard self.gateway.audit.isOn else { return nil }
        let detail = AuditLogin(
            refusal: refusal.map { AuditRefusal(code: $0.reason.rawValue, text: $0.logText) },
            rule: login.decided?.auditRule,
            provider: login.identity?.provider,
            secretSource: login.identity?.secretOrigin?.name,
            isCached: login.identity?.secretOrigin?.isCached,
            durationMicroseconds: MonotonicClock.now() - login.began
        )
        let subject = self.makeAuditSubject(identity: login.identity?.user, pool: pool)
        self.gateway.audit.record(AuditRecord(subject, .login(detail)))
        return subject
    }

    /// Refused before there was a login: told to the log and to the audit stream.
    func refusedAtStartup(_ reason: AuthFailure.Reason, _ text: String) {
        self.log.warning(
            "login failed",
            metadata: self.logMetadata(["reason": .string(text), "code": .string(reason.rawValue)])
        )
        self.noteRefusedAtStartup(reason, text)
    }

    /// The same for what has a line of its own in the log.
    func noteRefusedAtStartup(_ reason: AuthFailure.Reason, _ text: String) {
        self.gateway.statistics.loginFailures.add(1, ordering: .relaxed)
        guard self.gateway.audit.isOn else { return }
        let refusal = AuditRefusal(code: reason.rawValue, text: text)
        let detail = AuditLogin(refusal: refusal, durationMicroseconds: 0)
        self.gateway.audit.record(AuditRecord(self.makeAuditSubject(identity: nil, pool: nil), .login(detail)))
    }

    /// The session ends. Does nothing for a client that had not been admitted, and nothing the second time.
    func auditDeparture(_ departure: Departure) {
        guard let subject = self.auditSubject else { return }
        self.auditSubject = nil
        guard self.gateway.audit.isOn else { return }
        // What its server has answered since the last time.
        if let server = self.server { self.account(server) }
        let isStopping = self.gateway.stopping.load(ordering: .relaxed)
        let detail = AuditLogout(
            cause: departure.isByClient ? .clientLeft : isStopping ? .shuttingDown : .sessionEnded,
            text: departure.text,
            durationMicroseconds: MonotonicClock.now() - self.connectedAt,
            transactions: self.transactionCount,
            queries: self.queryCount
        )
        self.gateway.audit.record(AuditRecord(subject, .logout(detail)))
    }

    /// The console has dealt with statements.
    func auditCommands(_ notes: [ConsoleNote]) {
        guard !notes.isEmpty, self.gateway.audit.isOn else { return }
        let subject = self.auditSubject ?? self.makeAuditSubject(identity: self.user, pool: nil)
        for note in notes {
            let detail = AuditCommand(text: note.text, sqlState: note.sqlState?.text)
            self.gateway.audit.record(AuditRecord(subject, .command(detail)))
        }
    }

    private func makeAuditSubject(identity: String?, pool: Pool?) -> AuditSubject {
        AuditSubject(
            connection: self.number,
            address: AuditAddress(self.peer),
            tls: self.tls?.audit,
            database: self.database,
            user: self.user,
            identity: identity,
            poolUser: pool?.key.user,
            serverUser: pool?.plan.serverUser
        )
    }
}

extension AuditAddress {
    init(_ peer: SocketAddress) {
        switch peer.bits {
        case .local: self = .local
        case .v4(let bits): self = .v4(bits, port: peer.port)
        case .v6(let high, let low): self = .v6(high: high, low: low, port: peer.port)
        }
    }
}

extension SecretOrigin {
    /// Whether the secret was remembered from an earlier login; nil where nothing is ever remembered.
    fileprivate var isCached: Bool? {
        switch self.freshness {
        case .configured: nil
        case .cached: true
        case .fetched: false
        }
    }
}
