/// Rows and the replies of the simple and the extended query protocol.
extension MessageWriter {
    package mutating func rowDescription(_ columns: [ColumnDescription]) {
        self.begin(BackendMessageKind.rowDescription)
        self.count(columns.count)
        for column in columns {
            self.cString(column.name)
            self.int32(column.tableOID)
            self.int16(column.attributeNumber)
            self.int32(column.typeOID)
            self.int16(column.typeSize)
            self.int32(column.typeModifier)
            self.int16(column.format)
        }
        self.end()
    }

    /// One value per column, nil for NULL.
    package mutating func dataRow(_ values: [[UInt8]?]) {
        self.begin(BackendMessageKind.dataRow)
        self.count(values.count)
        for value in values {
            self.lengthPrefixed(value)
        }
        self.end()
    }

    /// A row in text format.
    package mutating func dataRow(text values: [String?]) {
        self.dataRow(values.map { value in value.map { Array($0.utf8) } })
    }

    /// - Parameter tag: for instance `SELECT 5`.
    package mutating func commandComplete(_ tag: String) {
        self.begin(BackendMessageKind.commandComplete)
        self.cString(tag)
        self.end()
    }

    package mutating func emptyQueryResponse() {
        self.empty(BackendMessageKind.emptyQueryResponse)
    }

    package mutating func parseComplete() {
        self.empty(BackendMessageKind.parseComplete)
    }

    package mutating func bindComplete() {
        self.empty(BackendMessageKind.bindComplete)
    }

    package mutating func closeComplete() {
        self.empty(BackendMessageKind.closeComplete)
    }

    package mutating func noData() {
        self.empty(BackendMessageKind.noData)
    }

    package mutating func portalSuspended() {
        self.empty(BackendMessageKind.portalSuspended)
    }

    package mutating func parameterDescription(_ typeOIDs: [Int32]) {
        self.begin(BackendMessageKind.parameterDescription)
        self.count(typeOIDs.count)
        for typeOID in typeOIDs {
            self.int32(typeOID)
        }
        self.end()
    }
}
