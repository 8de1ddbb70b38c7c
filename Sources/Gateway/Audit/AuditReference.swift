import AuthProviders
import Telemetry

/// The reference page of the audit stream, made from the tables that the code reads. Pure.
package enum AuditReference {
    /// The whole page, ending in a line feed.
    package static var markdown: String {
        [self.introduction, self.events, self.fields, self.reasons, self.logoutReasons, self.targets, self.throttling]
            .joined(separator: "\n\n") + "\n"
    }

    private static let introduction = """
        # Audit

        Who logged in from where, by which rule and method; who did not, and why; what was done on the admin console.
        Each of these is one record. The last `general.audit_entries` stay in memory; `SHOW AUDIT` shows at most
        \(AuditRow.rowsMax) of them (`SHOW AUDIT FAILURES` looks through all). With `general.audit_log` all records are
        written, one JSON object per line.

        Records hold no password, hash, token or proof. A client is told less than its record says: a refusal looks the
        same for an unknown user and for a wrong password.

        This page is generated from the tables of the gateway (`pggateway reference audit`).
        """

    private static var events: String {
        let rows = AuditEvent.allCases.map { "| `\($0.rawValue)` | \($0.meaning) |" }
        return (["## Events", "", "| event | records |", "|---|---|"] + rows).joined(separator: "\n") + """


            A connection that ends before it has sent a startup packet, as the checks of load balancers do, and a cancel
            request are no logins.
            """
    }

    private static var fields: String {
        let rows = AuditField.all.map { field in
            let isEverywhere = field.events == AuditEvent.allCases
            let events = isEverywhere ? "all" : field.events.map(\.rawValue).joined(separator: ", ")
            return "| `\(field.name)` | \(field.kind.rawValue) | \(events) | \(field.meaning) |"
        }
        return """
            ## Fields

            A record has exactly the fields of its event; one without a value is `null`. Names longer than \
            \(AuditLine.nameBytesMax) bytes and texts longer than \
            \(AuditLine.reasonBytesMax) bytes are cut and end in `…`. Control characters are escaped.


            """ + (["| field | type | events | meaning |", "|---|---|---|---|"] + rows).joined(separator: "\n")
    }

    private static var reasons: String {
        let rows = AuthFailure.Reason.allCases.map { reason in
            "| `\(reason.rawValue)` | \(reason.isFailedProof ? "yes" : "") | \(reason.meaning) |"
        }
        return """
            ## Reasons of a refused login

            The same codes stand in the log as `code`; a TLS handshake that failed has the reason of `SHOW TLS` \
            there. Those that are slowed look alike to the client.


            """ + (["| reason | slowed | meaning |", "|---|---|---|"] + rows).joined(separator: "\n")
    }

    private static var logoutReasons: String {
        let rows = AuditLogout.Cause.allCases.map { "| `\($0.rawValue)` | \($0.meaning) |" }
        return (["## Reasons of a logout", "", "| reason | meaning |", "|---|---|"] + rows).joined(separator: "\n")
    }

    private static let targets = """
        ## Targets

        | `general.audit_log` | where lines go |
        |---|---|
        | unset | nowhere; `SHOW AUDIT` works all the same |
        | `stderr` | standard error, between the lines of the log |
        | `syslog` | `\(AuditTarget.syslogPath)`, facility `auth`, severity `warning` for failures and `notice` for \
        the rest, in the form of RFC 3164, under the name `\(AuditTarget.syslogIdent)` or `general.syslog_prog_name` |
        | an absolute path | a file, made with mode 0600 and appended to, each line by one `write` |

        A target that cannot be opened stops the start and refuses a reload. Every reload (`RELOAD`, SIGHUP) opens the
        file anew: rename it, then reload, to rotate it.

        A thread of its own writes. No client waits for it: when more than `general.audit_log_queue` records wait, or
        the target takes nothing (the disk is full, the system's logger is gone), records are dropped. As soon as
        writing works again a line with the event `dropped` says how many are missing; `SHOW LISTS` has their number \
        since start
        as `audit_dropped`. A graceful stop writes what waits, for at most \
        \(Gateway.auditStopMilliseconds / 1_000) seconds.
        """

    private static let throttling = """
        ## Guessing is slowed

        The answer to a failed proof is held back: `general.auth_failure_delay` for the first, twice as long for each \
        further one, at most \(FailureThrottle.maximumFactor) times as long. What counts is the larger of the recent \
        failures from the client's address (an IPv6 address counts with its whole /64, a unix socket by user) and of \
        those for the user name. One failure is forgotten every \(FailureThrottle.forgetInterval / 1_000_000) seconds, \
        and no more than \(FailureThrottle.countMax) count.

        Right passwords are answered at once, whatever others guess, so nobody can be locked out by guesses at his \
        name. A success makes the failures of that user at that address forgotten. To hang up before the answer gains \
        nothing: the same user name from the same address is not asked for its password before the delay of its last \
        failure is over. Unknown users are slowed as known ones are.

        At most a quarter of `general.max_connections` is held back at a time; further failures are answered at once. \
        `client_login_timeout` holds for them, too, and a stop does not wait for them. \
        \(FailureThrottle.entriesMax) addresses, users and pairs of both are remembered, each; the oldest make room.
        """
}
