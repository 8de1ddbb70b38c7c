import AuthProviders
import Reactor
import Settings
import Telemetry

extension Gateway {
    /// How long a graceful stop waits for the audit log to be written.
    static let auditStopMilliseconds = 2_000

    /// Opens the target of the audit log that the settings name. Blocks on files: not for workers.
    static func prepareAudit(_ general: GeneralSettings) throws(GatewayStartError) -> AuditTrail.Prepared {
        do throws(AuditTargetError) {
            return try AuditTrail.prepare(AuditOptions(general))
        } catch {
            throw GatewayStartError(description: error.description)
        }
    }

    /// As far as can be told without making the file.
    static func checkAudit(_ general: GeneralSettings) throws(GatewayStartError) {
        do throws(AuditTargetError) {
            try AuditOptions(general).target?.check()
        } catch {
            throw GatewayStartError(description: error.description)
        }
    }

    static let turnedAwayText = "no room for a connection to be refused in"

    /// A connection that is turned away before anything is made for it.
    func auditTurnedAway(_ peer: SocketAddress) {
        guard self.audit.isOn else { return }
        let refusal = AuditRefusal(code: AuthFailure.Reason.tooManyClients.rawValue, text: Self.turnedAwayText)
        let subject = AuditSubject(connection: 0, address: AuditAddress(peer), database: "", user: "")
        self.audit.record(AuditRecord(subject, .login(AuditLogin(refusal: refusal, durationMicroseconds: 0))))
    }

    /// Not for workers: makes text of many records.
    func auditRows(failuresOnly: Bool, limit: Int?) -> [AuditRow] {
        let limit = min(limit ?? AuditRow.rowsMax, AuditRow.rowsMax)
        return self.audit.recent(limit) { !failuresOnly || $0.isFailure }.map(AuditRow.init)
    }
}

extension AuditOptions {
    init(_ general: GeneralSettings) {
        self.init(
            target: general.auditLog.map { AuditTarget($0, ident: general.syslogProgName) },
            queueMax: general.auditLogQueue,
            entriesMax: general.auditEntries
        )
    }
}
