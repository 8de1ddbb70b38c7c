/// A JSON text (RFC 8259), parsed strictly: for texts that a stranger wrote and that decide who somebody is.
///
/// A name that an object has twice is an error, for two readers could take two different ones. A value.
indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// As near as a Double comes.
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// In the order of the text.
    case object([(name: String, value: JSONValue)])

    /// Nil when the bytes are no JSON text, not UTF-8, nested deeper than `depthMax`, or name something twice.
    init?(parsing bytes: [UInt8]) {
        var parser = JSONParser(bytes)
        guard let value = parser.text() else { return nil }
        self = value
    }

    /// What an object has by that name, compared byte by byte.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var number: Double? {
        if case .number(let number) = self { number } else { nil }
    }

    var array: [JSONValue]? {
        if case .array(let values) = self { values } else { nil }
    }

    var members: [(name: String, value: JSONValue)]? {
        if case .object(let members) = self { members } else { nil }
    }

    static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.name.utf8.elementsEqual($1.name.utf8) && $0.value == $1.value }
        default: false
        }
    }
}

/// One pass over the bytes. Bounded by their number: every value takes at least one of them.
private struct JSONParser {
    /// Objects and arrays in one another.
    static let depthMax = 32
    /// Values beside each other in one object: names are compared with each other.
    static let membersMax = 1024

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func text() -> JSONValue? {
        guard let value = self.value(depth: 0) else { return nil }
        self.skipSpace()
        return self.position == self.bytes.count ? value : nil
    }

    private var next: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

    private mutating func skipSpace() {
        while let byte = self.next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { self.position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard self.next == byte else { return false }
        self.position += 1
        return true
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard self.bytes.count - self.position >= length,
            self.bytes[self.position..<self.position + length].elementsEqual(word.description.utf8)
        else { return false }
        self.position += length
        return true
    }

    private mutating func value(depth: Int) -> JSONValue? {
        self.skipSpace()
        switch self.next {
        case UInt8(ascii: "{"): return depth < Self.depthMax ? self.object(depth: depth) : nil
        case UInt8(ascii: "["): return depth < Self.depthMax ? self.array(depth: depth) : nil
        case UInt8(ascii: "\""): return self.string().map { .string($0) }
        case UInt8(ascii: "t"): return self.take("true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return self.take("false") ? .bool(false) : nil
        case UInt8(ascii: "n"): return self.take("null") ? .null : nil
        default: return self.number()
        }
    }

    private mutating func object(depth: Int) -> JSONValue? {
        self.position += 1
        var members: [(name: String, value: JSONValue)] = []
        var names: Set<[UInt8]> = []
        self.skipSpace()
        if self.take(UInt8(ascii: "}")) { return .object([]) }
        repeat {
            self.skipSpace()
            guard members.count < Self.membersMax, let name = self.string(), names.insert(Array(name.utf8)).inserted
            else { return nil }
            self.skipSpace()
            guard self.take(UInt8(ascii: ":")), let value = self.value(depth: depth + 1) else { return nil }
            members.append((name, value))
            self.skipSpace()
        } while self.take(UInt8(ascii: ","))
        return self.take(UInt8(ascii: "}")) ? .object(members) : nil
    }

    private mutating func array(depth: Int) -> JSONValue? {
        self.position += 1
        var values: [JSONValue] = []
        self.skipSpace()
        if self.take(UInt8(ascii: "]")) { return .array([]) }
        repeat {
            guard let value = self.value(depth: depth + 1) else { return nil }
            values.append(value)
            self.skipSpace()
        } while self.take(UInt8(ascii: ","))
        return self.take(UInt8(ascii: "]")) ? .array(values) : nil
    }

    // MARK: Strings

    private mutating func string() -> String? {
        guard self.take(UInt8(ascii: "\"")) else { return nil }
        var text: [UInt8] = []
        while let byte = self.next {
            self.position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
            case UInt8(ascii: "\\"): guard self.escape(into: &text) else { return nil }
            case 0..<0x20: return nil
            default: text.append(byte)
            }
        }
        return nil
    }

    private mutating func escape(into text: inout [UInt8]) -> Bool {
        guard let byte = self.next else { return false }
        self.position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            guard let scalar = self.escapedScalar() else { return false }
            text.append(contentsOf: String(scalar).utf8)
        default: return false
        }
        return true
    }

    /// One UTF-16 unit, or two that belong together.
    private mutating func escapedScalar() -> Unicode.Scalar? {
        guard let first = self.unit() else { return nil }
        guard (0xd800..<0xdc00).contains(first) else { return Unicode.Scalar(first) }
        guard self.take(UInt8(ascii: "\\")), self.take(UInt8(ascii: "u")), let second = self.unit(),
            (0xdc00..<0xe000).contains(second)
        else { return nil }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
    }

    private mutating func unit() -> UInt32? {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = self.next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt32(digit)
            self.position += 1
        }
        return unit
    }

    // MARK: Numbers

    /// Digits of one number at most.
    private static let numberMax = 64

    private mutating func number() -> JSONValue? {
        let start = self.position
        _ = self.take(UInt8(ascii: "-"))
        let isZero = self.next == UInt8(ascii: "0")
        let digits = self.digits()
        guard digits > 0, !isZero || digits == 1 else { return nil }
        if self.take(UInt8(ascii: ".")) {
            guard self.digits() > 0 else { return nil }
        }
        if self.take(UInt8(ascii: "e")) || self.take(UInt8(ascii: "E")) {
            if !self.take(UInt8(ascii: "+")) { _ = self.take(UInt8(ascii: "-")) }
            guard self.digits() > 0 else { return nil }
        }
        guard self.position - start <= Self.numberMax,
            let number = Double(String(decoding: self.bytes[start..<self.position], as: UTF8.self)), number.isFinite
        else { return nil }
        return .number(number)
    }

    private mutating func digits() -> Int {
        let start = self.position
        while let byte = self.next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.position += 1 }
        return self.position - start
    }
}
