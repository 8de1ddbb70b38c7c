/// One value of a console answer. Immutable.
package enum ConsoleValue: Hashable, Sendable {
    case text(String)
    case int(Int64)
    case null
}

/// How a client wants a value: the format codes of the protocol chapter "Formats and Format Codes".
package enum ConsoleFormat: Int16, Sendable {
    case text = 0
    case binary = 1
}

extension ConsoleValue {
    /// The bytes of a DataRow column, without their length; nil is SQL NULL.
    ///
    /// Text is the same in both formats. A number is decimal digits in text and eight bytes, most significant first, in
    /// binary (type `int8`).
    package func encoded(as format: ConsoleFormat) -> [UInt8]? {
        switch (self, format) {
        case (.null, _):
            nil
        case (.text(let text), _):
            Array(text.utf8)
        case (.int(let number), .text):
            Array(String(number).utf8)
        case (.int(let number), .binary):
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> Int64($0)) }
        }
    }
}

/// The two data types that console answers use: every driver decodes them without asking the catalogue.
package enum ConsoleType: String, Hashable, Sendable {
    case text
    case int8

    /// `pg_type.oid`.
    package var oid: Int32 {
        switch self {
        case .text: 25
        case .int8: 20
        }
    }

    /// `pg_type.typlen`.
    package var size: Int16 {
        switch self {
        case .text: -1
        case .int8: 8
        }
    }
}

/// Name, type and meaning of one column of a console answer. Immutable.
package struct ConsoleColumn: Hashable, Sendable {
    package let name: String
    package let type: ConsoleType
    /// One sentence without a full stop, for the reference page.
    package let meaning: String

    package init(_ name: String, _ type: ConsoleType, _ meaning: String) {
        self.name = name
        self.type = type
        self.meaning = meaning
    }
}
