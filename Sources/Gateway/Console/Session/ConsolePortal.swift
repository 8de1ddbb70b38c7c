import PGWire

/// A prepared statement. Immutable.
struct ConsolePrepared: Sendable {
    /// nil for an empty query string.
    let statement: ConsoleStatement?
    /// For the audit stream.
    let text: String
}

/// A bound statement of the extended protocol and how far its rows were fetched. Belongs to one session.
struct ConsolePortal: Sendable {
    /// `fresh` goes to `rows` or `finished` when it is executed; both stay.
    enum Progress: Sendable {
        case fresh
        /// The answer, and the index of the next row to send.
        case rows(ConsoleTable, next: Int)
        /// A statement without rows has run; it does not run twice.
        case finished
    }

    /// nil for an empty query string.
    let statement: ConsoleStatement?
    /// For the audit stream.
    let text: String
    /// One per column.
    let formats: [ConsoleFormat]
    var progress = Progress.fresh

    /// - Parameter requested: result formats as in the Bind message: none for text throughout, one for all columns, or
    ///   one for each.
    /// - Throws: 08P01 for a wrong number of formats, 22023 for an unknown format.
    init(_ prepared: ConsolePrepared, requested: [Int16]) throws(ConsoleError) {
        self.statement = prepared.statement
        self.text = prepared.text
        let count = prepared.statement?.columns.count ?? 0
        guard count > 0 else {
            self.formats = []
            return
        }
        guard requested.count <= 1 || requested.count == count else {
            throw .protocolViolation(
                "bind message has \(requested.count) result formats but query has \(count) columns"
            )
        }
        var formats: [ConsoleFormat] = []
        for code in requested {
            guard let format = ConsoleFormat(rawValue: code) else {
                throw ConsoleError(.invalidParameterValue, "unsupported format code: \(code)")
            }
            formats.append(format)
        }
        self.formats = requested.count == count ? formats : Array(repeating: formats.first ?? .text, count: count)
    }
}

extension MessageWriter {
    /// RowDescription, or NoData when the statement has no columns.
    mutating func description(of statement: ConsoleStatement?, formats: [ConsoleFormat]) {
        guard let columns = statement?.columns, !columns.isEmpty else { return self.noData() }
        self.rowDescription(columns, formats: formats)
    }

    /// Columns beyond the formats given are text.
    mutating func rowDescription(_ columns: [ConsoleColumn], formats: [ConsoleFormat]) {
        let padding = Array(repeating: ConsoleFormat.text, count: max(0, columns.count - formats.count))
        self.rowDescription(
            zip(columns, formats + padding).map { column, format in
                ColumnDescription(
                    name: column.name,
                    typeOID: column.type.oid,
                    typeSize: column.type.size,
                    format: format.rawValue
                )
            }
        )
    }

    /// Values beyond the formats given are text.
    mutating func dataRow(_ values: [ConsoleValue], formats: [ConsoleFormat]) {
        let padding = Array(repeating: ConsoleFormat.text, count: max(0, values.count - formats.count))
        self.dataRow(zip(values, formats + padding).map { value, format in value.encoded(as: format) })
    }
}
