/// One column of a row type: what it is called, and where its value comes from. Immutable.
package struct ConsoleField<Row>: Sendable {
    package let column: ConsoleColumn
    package let value: @Sendable (Row) -> ConsoleValue

    private init(column: ConsoleColumn, value: @escaping @Sendable (Row) -> ConsoleValue) {
        self.column = column
        self.value = value
    }

    /// A column of type `text`; nil is NULL.
    package static func text(
        _ name: String,
        _ meaning: String,
        _ value: @escaping @Sendable (Row) -> String?
    ) -> Self {
        Self(column: ConsoleColumn(name, .text, meaning)) { row in value(row).map(ConsoleValue.text) ?? .null }
    }

    /// A column of type `int8`; nil is NULL.
    package static func number(
        _ name: String,
        _ meaning: String,
        _ value: @escaping @Sendable (Row) -> Int?
    ) -> Self {
        Self(column: ConsoleColumn(name, .int8, meaning)) { row in value(row).map { .int(Int64($0)) } ?? .null }
    }
}

/// A row of one console table. The order of `fields` is the order of the columns, stated nowhere else.
package protocol ConsoleRow: Sendable {
    static var fields: [ConsoleField<Self>] { get }
}

extension ConsoleRow {
    package static var columns: [ConsoleColumn] {
        self.fields.map(\.column)
    }

    /// The values in column order.
    package var values: [ConsoleValue] {
        Self.fields.map { $0.value(self) }
    }
}

/// A complete answer: columns, and rows that fit them. Immutable; only row types make one, so that widths and types
/// always agree.
package struct ConsoleTable: Hashable, Sendable {
    package let columns: [ConsoleColumn]
    package let rows: [[ConsoleValue]]

    package init<Row: ConsoleRow>(_ rows: [Row]) {
        let fields = Row.fields
        self.columns = fields.map(\.column)
        self.rows = rows.map { row in fields.map { $0.value(row) } }
    }

    private init(columns: [ConsoleColumn], rows: [[ConsoleValue]]) {
        self.columns = columns
        self.rows = rows
    }

    /// The same with the first `count` rows only.
    func prefix(_ count: Int) -> ConsoleTable {
        ConsoleTable(columns: self.columns, rows: Array(self.rows.prefix(max(count, 0))))
    }

    /// One row of one text column.
    init(column: String, value: String) {
        self.columns = [ConsoleColumn(column, .text, "")]
        self.rows = [[.text(value)]]
    }

    /// One row of one number.
    init(column: String, number: Int64) {
        self.columns = [ConsoleColumn(column, .int8, "")]
        self.rows = [[.int(number)]]
    }
}
