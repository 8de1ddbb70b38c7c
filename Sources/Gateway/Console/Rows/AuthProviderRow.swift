/// One way to log in (`SHOW AUTH_PROVIDERS`).
package struct AuthProviderRow: ConsoleRow, Equatable {
    package var name: String
    package var methods: [String]
    package var logins: Int
    /// Each reason once, those that occurred.
    package var failures: [ReasonCount]
    package var busy: Int
    package var queued: Int
    package var p50Microseconds: Int?
    package var p99Microseconds: Int?

    package init(
        name: String,
        methods: [String],
        logins: Int,
        failures: [ReasonCount],
        busy: Int,
        queued: Int,
        p50Microseconds: Int?,
        p99Microseconds: Int?
    ) {
        self.name = name
        self.methods = methods
        self.logins = logins
        self.failures = failures
        self.busy = busy
        self.queued = queued
        self.p50Microseconds = p50Microseconds
        self.p99Microseconds = p99Microseconds
    }

    package static let fields: [ConsoleField<Self>] = [
        .text("name", "What the provider is called, in the log and the audit stream as well") { $0.name },
        .text("methods", "The hba methods that lead to it, separated by commas") {
            $0.methods.joined(separator: ", ")
        },
        .number("logins", "Clients that have proved who they are") { $0.logins },
        .number("failures", "Logins that ended without that, for whatever reason") { row in
            row.failures.total
        },
        .text(
            "failure_reasons",
            "The same by reason: `reason=n`, separated by commas; reasons as in the audit stream"
        ) { row in
            row.failures.text
        },
        .number("busy", "Calls that run now on threads of the provider (its lane); 0 for one without") { $0.busy },
        .number("queued", "Calls that wait for a thread of the lane") { $0.queued },
        .number(
            "p50_us",
            """
            Half of the logins, failed ones included, took at most so many microseconds from the first question to the \
            verdict, the client's time included; told within an eighth, NULL before the first
            """
        ) { $0.p50Microseconds },
        .number("p99_us", "The same for 99 of 100") { $0.p99Microseconds },
    ]
}
