import PGWire
import Sessions

/// What PostgreSQL reports to a new session, by the parameters the session asked for: learnt once from a real server,
/// then told to every further client without asking it again. Bounded; protected by its pool's lock.
struct WelcomeCache {
    /// Different sets of startup parameters remembered at once.
    private static let entriesMax = 64

    private var entries: [[SessionParameters.Entry]: [(name: String, value: String)]] = [:]

    /// Reported parameters for a session that asked for `requested`; nil when no server has told yet.
    func reports(for requested: SessionParameters) -> [(name: String, value: String)]? {
        self.entries[requested.reportedEntries]
    }

    mutating func remember(_ reports: [(name: String, value: String)], for requested: SessionParameters) {
        if self.entries.count >= Self.entriesMax { self.entries.removeAll(keepingCapacity: true) }
        self.entries[requested.reportedEntries] = reports
    }
}
