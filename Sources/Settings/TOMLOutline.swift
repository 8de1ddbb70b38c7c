/// The outline of a TOML text: on which line each key stands, which the parser does not tell, and whether the text is
/// built of headers, assignments, strings, arrays and tables at all.
///
/// The second matters for safety: the parser behind TOMLKit ends the process at some texts (a header without a name, a
/// value that begins with a comma), so it gets to see only what passes here. What a number or an escape means is left
/// to it. Whatever is refused here is no TOML.
struct TOMLOutline {
    /// Where and why the text is no TOML.
    struct Fault: Error {
        var line: Int
        var reason: String
    }

    private var cursor: TOMLCursor
    private var lines: [[String]: Int] = [:]
    /// Last index of each array of tables, by its path.
    private var lastIndexes: [[String]: Int] = [:]

    /// Lines from 1 by path; an element of an array is the component that ``component(forIndex:)`` makes.
    static func lines(of text: String) throws(Fault) -> [[String]: Int] {
        var outline = TOMLOutline(cursor: TOMLCursor(bytes: Array(text.utf8)))
        try outline.scanDocument()
        return outline.lines
    }

    /// A component that no key can be mistaken for: keys have no zero byte.
    static func component(forIndex index: Int) -> String {
        "\0\(index)"
    }

    private mutating func record(_ path: [String]) {
        if self.lines[path] == nil { self.lines[path] = self.cursor.line }
    }

    private mutating func scanDocument() throws(Fault) {
        var prefix: [String] = []
        while true {
            self.cursor.skipSpace(acrossLines: true)
            guard let byte = self.cursor.current else { return }
            if byte == UInt8(ascii: "[") {
                prefix = try self.scanHeader()
            } else {
                let path = try self.scanAssignment(under: prefix)
                try self.scanValue(path, depth: 0)
            }
            self.cursor.skipSpace(acrossLines: false)
            let end = self.cursor.current
            guard end == nil || end == UInt8(ascii: "\n") || end == UInt8(ascii: "\r") || end == UInt8(ascii: "#")
            else { throw self.cursor.fault("unexpected text at the end of the line") }
        }
    }

    /// `[a.b]` or `[[a.b]]`; the path of the keys that follow.
    private mutating func scanHeader() throws(Fault) -> [String] {
        self.cursor.advance()
        let isArray = self.cursor.take(UInt8(ascii: "["))
        let key = try self.scanDottedKey()
        guard self.cursor.take(UInt8(ascii: "]")), !isArray || self.cursor.take(UInt8(ascii: "]")) else {
            throw self.cursor.fault("a table header does not end with `]`")
        }
        var path: [String] = []
        for (position, part) in key.enumerated() {
            path.append(part)
            self.record(path)
            if position == key.count - 1, isArray {
                let next = (self.lastIndexes[path] ?? -1) + 1
                self.lastIndexes[path] = next
                path.append(Self.component(forIndex: next))
                self.record(path)
            } else if let last = self.lastIndexes[path] {
                path.append(Self.component(forIndex: last))
            }
        }
        return path
    }

    /// `a.b =`; the path of the value that follows.
    private mutating func scanAssignment(under prefix: [String]) throws(Fault) -> [String] {
        var path = prefix
        let line = self.cursor.line
        for part in try self.scanDottedKey() {
            path.append(part)
            if self.lines[path] == nil { self.lines[path] = line }
        }
        guard self.cursor.take(UInt8(ascii: "=")) else { throw self.cursor.fault("`=` is missing after a key") }
        return path
    }

    /// Keys joined by dots, with the blanks around them.
    private mutating func scanDottedKey() throws(Fault) -> [String] {
        var parts: [String] = []
        repeat {
            self.cursor.skipSpace(acrossLines: false)
            parts.append(try self.cursor.scanKeyPart())
            guard parts.count <= SettingsLimits.maximumDepth else {
                throw self.cursor.fault("tables are nested too deeply")
            }
            self.cursor.skipSpace(acrossLines: false)
        } while self.cursor.take(UInt8(ascii: "."))
        return parts
    }

    private mutating func scanValue(_ path: [String], depth: Int) throws(Fault) {
        self.cursor.skipSpace(acrossLines: false)
        guard depth <= SettingsLimits.maximumDepth else { throw self.cursor.fault("values are nested too deeply") }
        switch self.cursor.current {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            try self.cursor.skipString()
        case UInt8(ascii: "["):
            try self.scanArray(path, depth: depth)
        case UInt8(ascii: "{"):
            try self.scanInlineTable(path, depth: depth)
        default:
            try self.cursor.skipBareValue()
        }
    }

    private mutating func scanArray(_ path: [String], depth: Int) throws(Fault) {
        self.cursor.advance()
        var item = 0
        while true {
            self.cursor.skipSpace(acrossLines: true)
            if self.cursor.take(UInt8(ascii: "]")) { return }
            let inner = path + [Self.component(forIndex: item)]
            self.record(inner)
            try self.scanValue(inner, depth: depth + 1)
            item += 1
            self.cursor.skipSpace(acrossLines: true)
            if self.cursor.take(UInt8(ascii: ",")) { continue }
            guard self.cursor.take(UInt8(ascii: "]")) else { throw self.cursor.fault("an array does not end with `]`") }
            return
        }
    }

    private mutating func scanInlineTable(_ path: [String], depth: Int) throws(Fault) {
        self.cursor.advance()
        self.cursor.skipSpace(acrossLines: false)
        if self.cursor.take(UInt8(ascii: "}")) { return }
        repeat {
            let inner = try self.scanAssignment(under: path)
            try self.scanValue(inner, depth: depth + 1)
            self.cursor.skipSpace(acrossLines: false)
        } while self.cursor.take(UInt8(ascii: ","))
        guard self.cursor.take(UInt8(ascii: "}")) else {
            throw self.cursor.fault("an inline table does not end with `}` on its line")
        }
    }
}
