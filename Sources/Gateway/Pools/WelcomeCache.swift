import PGWire
import Sessions

/// What PostgreSQL reports to a new session: the values, and the ParameterStatus messages ready to be sent.
struct Welcome: Sendable {
    let reports: [(name: String, value: String)]
    /// All messages but the one for `application_name`, which differs from client to client.
    let encoded: [UInt8]
    let reportsApplicationName: Bool

    init(_ reports: [(name: String, value: String)]) {
        self.reports = reports
        var writer = MessageWriter(reservingCapacity: 512)
        for report in reports where report.name != Self.applicationName {
            writer.parameterStatus(name: report.name, value: report.value)
        }
        self.encoded = writer.bytes
        self.reportsApplicationName = reports.contains { $0.name == Self.applicationName }
    }

    static let applicationName = "application_name"
}

/// One object for all sessions that ask for the same parameters, so that two of them are told apart by comparing
/// references. Bounded; protected by its pool's lock.
struct ParameterSets {
    private static let setsMax = 256

    private var sets: [[SessionParameters.Entry]: SessionParameters] = [:]

    mutating func shared(_ parameters: SessionParameters) -> SessionParameters {
        if let known = self.sets[parameters.entries] { return known }
        if self.sets.count >= Self.setsMax { self.sets.removeAll(keepingCapacity: true) }
        self.sets[parameters.entries] = parameters
        return parameters
    }
}

/// Welcomes by the parameters a session asked for: learnt once from a real server, then told to every further client
/// without asking it again. Bounded; protected by its pool's lock.
struct WelcomeCache {
    /// Different sets of startup parameters remembered at once.
    private static let entriesMax = 64

    private var entries: [[SessionParameters.Entry]: Welcome] = [:]

    /// The welcome of a session that asked for `requested`; nil when no server has told yet.
    func welcome(for requested: SessionParameters) -> Welcome? {
        self.entries[requested.reportedEntries]
    }

    mutating func remember(_ welcome: Welcome, for requested: SessionParameters) {
        if self.entries.count >= Self.entriesMax { self.entries.removeAll(keepingCapacity: true) }
        self.entries[requested.reportedEntries] = welcome
    }
}
