import PGWire
import Sessions

/// What PostgreSQL reports to a new session: the values, and the ParameterStatus messages ready to be sent.
struct Welcome: Sendable {
    let reports: [(name: String, value: String)]
    /// All messages but the one for `application_name`, which differs from client to client.
    let encoded: [UInt8]
    let reportsApplicationName: Bool

    init(_ told: [(name: String, value: String)]) {
        let reports = told.filter { !Self.passes($0) }
        self.reports = reports
        var writer = MessageWriter(reservingCapacity: 512)
        for report in reports where report.name != Self.applicationName {
            writer.parameterStatus(name: report.name, value: report.value)
        }
        self.encoded = writer.bytes
        self.reportsApplicationName = reports.contains { $0.name == Self.applicationName }
    }

    static let applicationName = "application_name"

    /// That a server is a standby ends at any moment, without a word to those who ask nothing of it, and clients that
    /// want a primary (`target_session_attrs`) would be turned away for ever. A driver that is not told asks.
    private static func passes(_ report: (name: String, value: String)) -> Bool {
        report.name == "in_hot_standby" && report.value == "on"
    }

    /// Whether sessions are told the same by both.
    func isSame(as other: Welcome) -> Bool {
        self.encoded == other.encoded && self.reportsApplicationName == other.reportsApplicationName
    }

    /// AuthenticationOk and all ParameterStatus messages of a session with these parameters.
    ///
    /// - Parameter name: the `application_name` of a session that asks for none.
    func greeting(for parameters: SessionParameters, named name: String) -> [UInt8] {
        var writer = MessageWriter(reservingCapacity: self.encoded.count + 128)
        writer.authenticationOk()
        if self.reportsApplicationName {
            writer.parameterStatus(name: Self.applicationName, value: Self.reported(parameters.applicationName ?? name))
        }
        writer.raw(self.encoded)
        return writer.bytes
    }

    /// The value reported to a session with these parameters; nil when PostgreSQL does not report it.
    ///
    /// - Parameter applicationName: the `application_name` of a session that asks for none.
    func value(of name: String, for parameters: SessionParameters, named applicationName: String) -> String? {
        guard let report = self.reports.first(where: { $0.name == name }) else { return nil }
        if name != Self.applicationName { return report.value }
        return Self.reported(parameters.applicationName ?? applicationName)
    }

    /// `application_name` as PostgreSQL reports it: what is not printable ASCII becomes a question mark.
    private static func reported(_ name: String) -> String {
        let bytes = name.utf8.prefix(63).map { $0 >= 32 && $0 < 127 ? $0 : UInt8(ascii: "?") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
