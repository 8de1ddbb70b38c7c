/// One column of a RowDescription.
package struct ColumnDescription: Sendable, Equatable {
    package var name: String
    /// Zero when the column does not come from a table.
    package var tableOID: Int32
    package var attributeNumber: Int16
    package var typeOID: Int32
    /// In bytes, negative for types of variable width.
    package var typeSize: Int16
    package var typeModifier: Int32
    /// 0 text, 1 binary.
    package var format: Int16

    package init(
        name: String,
        tableOID: Int32 = 0,
        attributeNumber: Int16 = 0,
        typeOID: Int32 = 25,
        typeSize: Int16 = -1,
        typeModifier: Int32 = -1,
        format: Int16 = 0
    ) {
        self.name = name
        self.tableOID = tableOID
        self.attributeNumber = attributeNumber
        self.typeOID = typeOID
        self.typeSize = typeSize
        self.typeModifier = typeModifier
        self.format = format
    }

    /// A column of type `text`.
    package static func text(_ name: String) -> ColumnDescription {
        ColumnDescription(name: name)
    }

    /// A column of type `int8`.
    package static func int8(_ name: String) -> ColumnDescription {
        ColumnDescription(name: name, typeOID: 20, typeSize: 8)
    }

    /// A column of type `numeric`.
    package static func numeric(_ name: String) -> ColumnDescription {
        ColumnDescription(name: name, typeOID: 1700)
    }
}
