import Logging

/// How a record is written.
package enum LogFormat: String, Sendable, CaseIterable {
    /// One line for people: time, level, label, message, then `key=value` in the order of the keys.
    case text
    /// One JSON object per line.
    case structured
}

/// One record, ready to be written. Pure: the time is passed in.
struct LogLine {
    let timestamp: UTCTimestamp
    let level: Logger.Level
    let label: String
    let message: String
    let metadata: Logger.Metadata

    /// Keys of the structured form that metadata may not take; such metadata gets an underscore behind its key.
    private static let reservedKeys: Set<String> = ["timestamp", "level", "target", "message"]

    func formatted(as format: LogFormat) -> String {
        switch format {
        case .text: self.text
        case .structured: self.structured
        }
    }

    private var text: String {
        let level = Self.word(for: self.level)
        let padding = String(repeating: " ", count: max(0, 5 - level.utf8.count))
        let label = LogText.message(self.label)
        var line = "\(self.timestamp) \(padding)\(level) \(label): \(LogText.message(self.message))"
        for (key, value) in self.metadata.sorted(by: { $0.key < $1.key }) {
            line += " \(LogText.value(key))=\(LogText.value("\(value)"))"
        }
        return line + "\n"
    }

    private var structured: String {
        var members = [
            "\"timestamp\":\(LogText.json(self.timestamp.description))",
            "\"level\":\(LogText.json(Self.word(for: self.level)))",
            "\"target\":\(LogText.json(self.label))",
            "\"message\":\(LogText.json(self.message))",
        ]
        for (key, value) in self.metadata.sorted(by: { $0.key < $1.key }) {
            let name = Self.reservedKeys.contains(key) ? key + "_" : key
            members.append("\(LogText.json(name)):\(Self.json(value))")
        }
        return "{\(members.joined(separator: ","))}\n"
    }

    private static func json(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text):
            return LogText.json(text)
        case .stringConvertible(let convertible):
            return LogText.json(convertible.description)
        case .array(let values):
            return "[\(values.map(Self.json).joined(separator: ","))]"
        case .dictionary(let values):
            let members = values.sorted { $0.key < $1.key }.map { "\(LogText.json($0.key)):\(Self.json($0.value))" }
            return "{\(members.joined(separator: ","))}"
        }
    }

    /// Five levels towards the outside: `notice` counts as information, `critical` as an error.
    private static func word(for level: Logger.Level) -> String {
        switch level {
        case .critical, .error: "ERROR"
        case .warning: "WARN"
        case .notice, .info: "INFO"
        case .debug: "DEBUG"
        case .trace: "TRACE"
        }
    }
}
