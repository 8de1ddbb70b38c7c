import PGWire

/// The fields of a Parse message that the console uses. Declared parameter types are read and dropped: no console
/// statement has parameters. Source: protocol chapter, "Message Formats".
struct ConsoleParseMessage {
    let name: String
    let query: String

    init(_ body: [UInt8]) throws(ConsoleError) {
        do throws(WireError) {
            var reader = ByteReader(body)
            self.name = try reader.cString()
            self.query = try reader.cString()
            let types = try reader.int16()
            for _ in 0..<max(0, types) { _ = try reader.int32() }
            try reader.expectEnd()
        } catch {
            throw .broken(error)
        }
    }
}

/// The fields of a Bind message that the console uses; the values of parameters are read past, not kept.
struct ConsoleBindMessage {
    let portal: String
    let statement: String
    let parameterFormatCount: Int
    let parameterCount: Int
    let resultFormats: [Int16]

    init(_ body: [UInt8]) throws(ConsoleError) {
        do throws(WireError) {
            var reader = ByteReader(body)
            self.portal = try reader.cString()
            self.statement = try reader.cString()
            self.parameterFormatCount = try Self.formats(&reader).count
            let parameters = Int(try reader.int16())
            for _ in 0..<max(0, parameters) {
                let length = try reader.int32()
                if length != -1 { _ = try reader.bytes(Int(length)) }
            }
            self.parameterCount = parameters
            self.resultFormats = try Self.formats(&reader)
            try reader.expectEnd()
        } catch {
            throw .broken(error)
        }
    }

    private static func formats(_ reader: inout ByteReader) throws(WireError) -> [Int16] {
        let count = try reader.int16()
        var formats: [Int16] = []
        for _ in 0..<max(0, count) { formats.append(try reader.int16()) }
        return formats
    }
}

/// The fields of an Execute message.
struct ConsoleExecuteMessage {
    let portal: String
    /// Zero or less means all rows, as in PostgreSQL.
    let maximumRows: Int

    init(_ body: [UInt8]) throws(ConsoleError) {
        do throws(WireError) {
            var reader = ByteReader(body)
            self.portal = try reader.cString()
            self.maximumRows = Int(try reader.int32())
            try reader.expectEnd()
        } catch {
            throw .broken(error)
        }
    }
}

/// The fields of a Describe or Close message.
struct ConsoleObjectMessage {
    let object: NamedObject
    let name: String

    init(_ body: [UInt8]) throws(ConsoleError) {
        let code: UInt8
        do throws(WireError) {
            var reader = ByteReader(body)
            code = try reader.uint8()
            self.name = try reader.cString()
            try reader.expectEnd()
        } catch {
            throw .broken(error)
        }
        guard let object = NamedObject(rawValue: code) else {
            throw .protocolViolation("invalid object kind \(code) in Describe or Close message")
        }
        self.object = object
    }
}
