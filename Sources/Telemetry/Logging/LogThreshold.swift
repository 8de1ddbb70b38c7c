package import Logging

/// How much is logged: records of this severity and above, or nothing.
package enum LogThreshold: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    case off
    case error
    case warn
    case info
    case debug
    case trace

    /// The words of `--log-level`, in any case; `warning` stands for `warn`.
    package init?(_ word: some StringProtocol) {
        let word = word.lowercased()
        let known = word == "warning" ? "warn" : word
        guard let threshold = Self.allCases.first(where: { $0.description == known }) else { return nil }
        self = threshold
    }

    package var description: String {
        switch self {
        case .off: "off"
        case .error: "error"
        case .warn: "warn"
        case .info: "info"
        case .debug: "debug"
        case .trace: "trace"
        }
    }

    /// The least severe level that passes. Nothing passes `off`, for which a logger has no level: the log handler looks
    /// for it by itself.
    package var minimumLevel: Logger.Level {
        switch self {
        case .off: .critical
        case .error: .error
        case .warn: .warning
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }
}
