import PGWire

/// Bytes of a list of literals, so that tests read like the message formats of the protocol chapter.
enum Wire {
    case byte(Character)
    case int16(Int16)
    case int32(Int32)
    case string(String)
    case raw([UInt8])
}

func bytes(_ parts: Wire...) -> [UInt8] {
    parts.flatMap { part -> [UInt8] in
        switch part {
        case .byte(let character):
            Array(String(character).utf8)
        case .int16(let value):
            [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
        case .int32(let value):
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
        case .string(let text):
            Array(text.utf8) + [0]
        case .raw(let raw):
            raw
        }
    }
}

/// A StartupMessage written by hand: a length, a version code, raw body bytes.
func startupPacket(code: Int32 = 196_608, body: [UInt8]) -> [UInt8] {
    bytes(.int32(Int32(8 + body.count)), .int32(code), .raw(body))
}

/// What one writer call appends.
func written(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
    var writer = MessageWriter()
    write(&writer)
    return writer.take()
}

/// The error that a throwing expression ends in, nil when it succeeds.
func wireError<T>(_ body: () throws(WireError) -> T) -> WireError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

/// A small deterministic generator: the same mutations in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state ^= self.state << 13
        self.state ^= self.state >> 7
        self.state ^= self.state << 17
        return self.state
    }
}
