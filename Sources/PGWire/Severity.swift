/// Severity of an ErrorResponse or NoticeResponse; the raw value is the untranslated word on the wire (field `V`).
package enum Severity: String, Sendable, Hashable, CaseIterable {
    case error = "ERROR"
    case fatal = "FATAL"
    case panic = "PANIC"
    case warning = "WARNING"
    case notice = "NOTICE"
    case debug = "DEBUG"
    case info = "INFO"
    case log = "LOG"

    /// The connection ends after a report of this severity.
    package var endsConnection: Bool {
        self == .fatal || self == .panic
    }
}
