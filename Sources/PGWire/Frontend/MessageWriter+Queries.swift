/// What Describe and Close name.
package enum NamedObject: UInt8, Sendable {
    /// `S`: a prepared statement.
    case statement = 0x53
    /// `P`: a portal.
    case portal = 0x50
}

/// Simple and extended query messages, and the client side of COPY.
extension MessageWriter {
    package mutating func query(_ sql: String) {
        self.begin(FrontendMessageKind.query)
        self.cString(sql)
        self.end()
    }

    /// - Parameter parameterTypes: type OIDs, zero for a type that the server infers.
    package mutating func parse(name: String, query: String, parameterTypes: [Int32] = []) {
        self.begin(FrontendMessageKind.parse)
        self.cString(name)
        self.cString(query)
        self.count(parameterTypes.count)
        for type in parameterTypes {
            self.int32(type)
        }
        self.end()
    }

    /// A Parse made of pieces that were read from one: name and query without a zero byte in them.
    ///
    /// - Parameter parameterTypes: as on the wire, a 16-bit count and the OIDs.
    package mutating func parse(name: [UInt8], query: [UInt8], parameterTypes: [UInt8]) {
        self.begin(FrontendMessageKind.parse)
        self.raw(name)
        self.uint8(0)
        self.raw(query)
        self.uint8(0)
        self.raw(parameterTypes)
        self.end()
    }

    /// Formats are 0 for text, 1 for binary; an empty list means text throughout, one item speaks for all.
    package mutating func bind(
        portal: String,
        statement: String,
        parameterFormats: [Int16] = [],
        parameters: [[UInt8]?] = [],
        resultFormats: [Int16] = []
    ) {
        self.begin(FrontendMessageKind.bind)
        self.cString(portal)
        self.cString(statement)
        self.formats(parameterFormats)
        self.count(parameters.count)
        for parameter in parameters {
            self.lengthPrefixed(parameter)
        }
        self.formats(resultFormats)
        self.end()
    }

    package mutating func describe(kind: NamedObject, name: String) {
        self.named(FrontendMessageKind.describe, kind, name)
    }

    package mutating func close(kind: NamedObject, name: String) {
        self.named(FrontendMessageKind.close, kind, name)
    }

    /// - Parameter maxRows: zero for all rows.
    package mutating func execute(portal: String, maxRows: Int32 = 0) {
        self.begin(FrontendMessageKind.execute)
        self.cString(portal)
        self.int32(maxRows)
        self.end()
    }

    package mutating func sync() {
        self.empty(FrontendMessageKind.sync)
    }

    package mutating func flush() {
        self.empty(FrontendMessageKind.flush)
    }

    package mutating func terminate() {
        self.empty(FrontendMessageKind.terminate)
    }

    package mutating func copyData(_ data: [UInt8]) {
        self.begin(FrontendMessageKind.copyData)
        self.raw(data)
        self.end()
    }

    package mutating func copyDone() {
        self.empty(FrontendMessageKind.copyDone)
    }

    package mutating func copyFail(_ reason: String) {
        self.begin(FrontendMessageKind.copyFail)
        self.cString(reason)
        self.end()
    }

    private mutating func formats(_ formats: [Int16]) {
        self.count(formats.count)
        for format in formats {
            self.int16(format)
        }
    }

    private mutating func named(_ message: UInt8, _ kind: NamedObject, _ name: String) {
        self.begin(message)
        self.uint8(kind.rawValue)
        self.cString(name)
        self.end()
    }
}
