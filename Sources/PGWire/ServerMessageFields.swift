/// The fields of an ErrorResponse or NoticeResponse.
///
/// All fields are kept in their order, known or not, so that a decoded report is written again as it came. Where a
/// field occurs twice the last one is read. Source: protocol chapter, "Error and Notice Message Fields".
package struct ServerMessageFields: Sendable, Equatable, CustomStringConvertible {
    /// One field: its code byte and its text.
    package struct Field: Sendable, Equatable {
        package let code: UInt8
        package let text: String

        package init(code: UInt8, text: String) {
            self.code = code
            self.text = text
        }
    }

    package private(set) var fields: [Field]

    package init(
        severity: Severity,
        sqlState: SQLState,
        message: String,
        detail: String? = nil,
        hint: String? = nil
    ) {
        self.fields = []
        self.severity = severity
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
    }

    /// The last words on a connection.
    package static func fatal(_ state: SQLState, _ message: String) -> Self {
        Self(severity: .fatal, sqlState: state, message: message)
    }

    private init(fields: [Field]) {
        self.fields = fields
    }

    /// Reads a message body. Missing, repeated and unknown fields are fine and text that is not UTF-8 is repaired;
    /// only broken framing throws.
    package static func decode(body: [UInt8]) throws(WireError) -> ServerMessageFields {
        var reader = ByteReader(body)
        var fields: [Field] = []
        while let code = reader.peek, code != 0 {
            _ = try reader.uint8()
            fields.append(Field(code: code, text: try reader.repairedCString()))
        }
        guard !reader.isAtEnd else { throw .missingTerminator }
        _ = try reader.uint8()
        try reader.expectEnd()
        return ServerMessageFields(fields: fields)
    }

    /// As `decode(body:)` for bytes that stay where they are.
    package static func decode(body: borrowing Span<UInt8>) throws(WireError) -> ServerMessageFields {
        try self.decode(body: [UInt8](copying: body))
    }

    /// The text of the last field with this code.
    package func text(_ code: UInt8) -> String? {
        self.fields.last { $0.code == code }?.text
    }

    /// Replaces every field with this code by one; nil removes them.
    package mutating func set(_ code: UInt8, to text: String?) {
        let position = self.fields.firstIndex { $0.code == code } ?? self.fields.count
        self.fields.removeAll { $0.code == code }
        if let text {
            self.fields.insert(Field(code: code, text: text), at: min(position, self.fields.count))
        }
    }

    package var description: String {
        let severity = self.text(UInt8(ascii: "V")) ?? self.text(UInt8(ascii: "S")) ?? "UNKNOWN"
        let code = self.text(UInt8(ascii: "C")) ?? "-----"
        return "\(severity) \(code): \(self.message)"
    }
}

extension ServerMessageFields {
    /// The connection ends behind it.
    package var endsConnection: Bool { self.severity?.endsConnection ?? false }

    /// From the untranslated word where the server sends one; setting it sets both words.
    package var severity: Severity? {
        get {
            self.text(UInt8(ascii: "V")).flatMap(Severity.init) ?? self.text(UInt8(ascii: "S")).flatMap(Severity.init)
        }
        set {
            self.set(UInt8(ascii: "S"), to: newValue?.rawValue)
            self.set(UInt8(ascii: "V"), to: newValue?.rawValue)
        }
    }

    /// Nil when absent or malformed.
    package var sqlState: SQLState? {
        get { self.text(UInt8(ascii: "C")).flatMap(SQLState.init) }
        set { self.set(UInt8(ascii: "C"), to: newValue?.text) }
    }

    /// Empty when the report has none.
    package var message: String {
        get { self.text(UInt8(ascii: "M")) ?? "" }
        set { self.set(UInt8(ascii: "M"), to: newValue) }
    }

    package var detail: String? {
        get { self.text(UInt8(ascii: "D")) }
        set { self.set(UInt8(ascii: "D"), to: newValue) }
    }

    package var hint: String? {
        get { self.text(UInt8(ascii: "H")) }
        set { self.set(UInt8(ascii: "H"), to: newValue) }
    }

    /// Character index into the query, from 1, as the text of the wire.
    package var position: String? {
        get { self.text(UInt8(ascii: "P")) }
        set { self.set(UInt8(ascii: "P"), to: newValue) }
    }

    /// The context in which the error occurred (field `W`).
    package var context: String? {
        get { self.text(UInt8(ascii: "W")) }
        set { self.set(UInt8(ascii: "W"), to: newValue) }
    }

    package var routine: String? {
        get { self.text(UInt8(ascii: "R")) }
        set { self.set(UInt8(ascii: "R"), to: newValue) }
    }
}
