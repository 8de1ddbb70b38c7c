import Glibc
import Logging

/// Where log lines go, in which format, and through which filter. Immutable; one per process outside of tests.
package struct LogOutput: Sendable {
    package let filter: LogFilter
    package let format: LogFormat
    /// Takes one line with its line feed; called on any thread, several at once.
    let sink: @Sendable (String) -> Void
    let now: @Sendable () -> UTCTimestamp

    package init(
        filter: LogFilter,
        format: LogFormat,
        sink: @escaping @Sendable (String) -> Void = Self.writeToStandardError,
        now: @escaping @Sendable () -> UTCTimestamp = UTCTimestamp.now
    ) {
        self.filter = filter
        self.format = format
        self.sink = sink
        self.now = now
    }

    package func handler(label: String) -> GatewayLogHandler {
        GatewayLogHandler(label: label, output: self)
    }

    /// Makes every logger of the process write to standard error. Called once, before the first logger is made.
    /// - Returns: the filter, through which the level is changed later.
    @discardableResult
    package static func bootstrap(level: LogRules, format: LogFormat) -> LogFilter {
        let output = LogOutput(filter: LogFilter(level), format: format)
        LoggingSystem.bootstrap(
            { label, provider in
                var handler = output.handler(label: label)
                handler.metadataProvider = provider
                return handler
            },
            metadataProvider: nil
        )
        return output.filter
    }

    /// One `write(2)` per line, so that lines of several threads do not mix. What the system does not take in that
    /// one call is dropped: a rest written later could land in the middle of another line.
    package static func writeToStandardError(_ line: String) {
        self.write(line, to: STDERR_FILENO)
    }

    static func write(_ line: String, to descriptor: Int32) {
        var line = line
        line.withUTF8 { bytes in
            while unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count) < 0, errno == EINTR {}
        }
    }
}
