/// A position in a TOML text with the line it is on, and the steps over its smallest parts.
struct TOMLCursor {
    let bytes: [UInt8]
    private(set) var line = 1
    private var index = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var current: UInt8? {
        self.index < self.bytes.count ? self.bytes[self.index] : nil
    }

    func fault(_ reason: String) -> TOMLOutline.Fault {
        TOMLOutline.Fault(line: self.line, reason: reason)
    }

    private func peek(_ distance: Int) -> UInt8? {
        self.index + distance < self.bytes.count ? self.bytes[self.index + distance] : nil
    }

    mutating func advance() {
        if self.current == UInt8(ascii: "\n") { self.line += 1 }
        self.index += 1
    }

    /// Passes the byte when it is the current one.
    mutating func take(_ byte: UInt8) -> Bool {
        guard self.current == byte else { return false }
        self.advance()
        return true
    }

    /// Passes blanks; with `acrossLines` also line ends and comments.
    mutating func skipSpace(acrossLines: Bool) {
        while let byte = self.current {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"):
                self.advance()
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                guard acrossLines else { return }
                self.advance()
            case UInt8(ascii: "#"):
                guard acrossLines else { return }
                while let other = self.current, other != UInt8(ascii: "\n") { self.advance() }
            default:
                return
            }
        }
    }

    /// One part of a key, bare or in quotes.
    mutating func scanKeyPart() throws(TOMLOutline.Fault) -> String {
        let start = self.index
        if self.current == UInt8(ascii: "\"") || self.current == UInt8(ascii: "'") {
            guard !(self.peek(1) == self.current && self.peek(2) == self.current) else {
                throw self.fault("a key cannot be a string of several lines")
            }
            try self.skipString()
            return String(decoding: self.bytes[start..<self.index].dropFirst().dropLast(), as: UTF8.self)
        }
        while let byte = self.current, Self.isBareKey(byte) { self.advance() }
        guard self.index > start else { throw self.fault("a key is missing") }
        return String(decoding: self.bytes[start..<self.index], as: UTF8.self)
    }

    /// Passes a string of any of the four forms.
    mutating func skipString() throws(TOMLOutline.Fault) {
        let start = self
        guard let quote = self.current else { return }
        let isLong = self.peek(1) == quote && self.peek(2) == quote
        for _ in 0..<(isLong ? 3 : 1) { self.advance() }
        while let byte = self.current {
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                self.advance()
                if self.current != nil { self.advance() }
            } else if byte == UInt8(ascii: "\n"), !isLong {
                break
            } else if byte == quote, !isLong {
                self.advance()
                return
            } else if byte == quote, self.peek(1) == quote, self.peek(2) == quote {
                // One or two quotes may stand directly before the closing three.
                for _ in 0..<3 { self.advance() }
                for _ in 0..<2 where self.current == quote { self.advance() }
                return
            } else {
                self.advance()
            }
        }
        throw start.fault("a string does not end")
    }

    /// Passes a number, boolean, date or time; its meaning is not looked at.
    mutating func skipBareValue() throws(TOMLOutline.Fault) {
        let first = self.current ?? 0
        guard first == UInt8(ascii: "+") || (Self.isBareKey(first) && first != UInt8(ascii: "_")) else {
            throw self.fault("a value is missing")
        }
        while let byte = self.current {
            let isDateBlank =
                byte == UInt8(ascii: " ") && Self.isDigit(self.peek(-1)) && Self.isDigit(self.peek(1))
            guard Self.isBareKey(byte) || "+.:".utf8.contains(byte) || isDateBlank else { return }
            self.advance()
        }
    }

    private static func isDigit(_ byte: UInt8?) -> Bool {
        guard let byte else { return false }
        return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isBareKey(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default:
            false
        }
    }
}
