import Glibc
import Logging

/// Where log lines go, in which format, and which of them. Immutable; one per process outside of tests.
package struct LogOutput: Sendable {
    let rules: LogRules
    let format: LogFormat
    /// Takes one line with its line feed; called on any thread, several at once.
    let sink: @Sendable (String) -> Void
    let now: @Sendable () -> UTCTimestamp

    package init(
        rules: LogRules,
        format: LogFormat,
        sink: @escaping @Sendable (String) -> Void,
        now: @escaping @Sendable () -> UTCTimestamp = UTCTimestamp.now
    ) {
        self.rules = rules
        self.format = format
        self.sink = sink
        self.now = now
    }

    package func handler(label: String) -> GatewayLogHandler {
        GatewayLogHandler(label: label, output: self)
    }

    /// Makes every logger of the process write to standard error. Called once, before the first logger is made; the
    /// rules hold for the life of the process.
    package static func bootstrap(rules: LogRules, format: LogFormat) {
        let writer = LineWriter(descriptor: STDERR_FILENO) { count in
            LogLine(
                timestamp: .now(),
                level: .warning,
                label: "pggateway",
                message: "log lines are missing here: nobody took them",
                metadata: ["count": .stringConvertible(count)]
            ).formatted(as: format)
        }
        let output = LogOutput(rules: rules, format: format, sink: { writer.write($0) })
        LoggingSystem.bootstrap(
            { label, provider in
                var handler = output.handler(label: label)
                handler.metadataProvider = provider
                return handler
            },
            metadataProvider: nil
        )
    }
}
