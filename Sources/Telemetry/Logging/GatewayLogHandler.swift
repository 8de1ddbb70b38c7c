package import Logging

/// Formats records and hands each to a sink as one line. A value, as loggers are copied.
package struct GatewayLogHandler: LogHandler {
    private let label: String
    private let output: LogOutput
    /// What the rules of the process say about the label.
    private let threshold: LogThreshold
    /// A level set on this logger alone goes before the rules.
    private var ownLevel: Logger.Level?
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
        self.threshold = output.rules.threshold(for: label)
    }

    package var logLevel: Logger.Level {
        get { self.ownLevel ?? self.threshold.minimumLevel }
        set { self.ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        // `off` has no counterpart among the levels of a logger.
        guard self.ownLevel != nil || self.threshold != .off else { return }
        let line = LogLine(
            timestamp: self.output.now(),
            level: event.level,
            label: self.label,
            message: event.message.description,
            metadata: self.merged(with: event)
        )
        self.output.sink(line.formatted(as: self.output.format))
    }

    /// What stands at the record goes before what the provider says, and that before what the logger carries.
    private func merged(with event: LogEvent) -> Logger.Metadata {
        var metadata = self.metadata
        if let provided = self.metadataProvider?.get() {
            metadata.merge(provided) { _, new in new }
        }
        if let error = event.error {
            metadata["error"] = .string(String(describing: error))
        }
        if let own = event.metadata {
            metadata.merge(own) { _, new in new }
        }
        return metadata
    }
}
