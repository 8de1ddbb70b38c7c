import Synchronization

@testable import Telemetry

/// Collects log lines in place of standard error.
final class LogRecorder: Sendable {
    private let storage = Mutex<[String]>([])

    var lines: [String] { self.storage.withLock { $0 } }

    /// An output with a clock that stands still.
    func output(_ rules: String = "info", format: LogFormat = .text) throws -> LogOutput {
        LogOutput(
            rules: try LogRules(parsing: rules),
            format: format,
            sink: { line in self.storage.withLock { $0.append(line) } },
            now: { UTCTimestamp(milliseconds: 1_704_655_178_080) }
        )
    }
}
