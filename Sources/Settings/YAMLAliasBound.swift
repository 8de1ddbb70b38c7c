/// Estimates how large a YAML file becomes when its aliases are replaced, before a parser touches it: ten lines of
/// aliases of aliases stand for billions of values.
///
/// The text is scanned once, without understanding quotes or comments. An anchor cannot be used inside the value
/// that it marks, so that value ends before the first use; everything between the two counts as its size. An anchor
/// that is given again may stand inside the value that it marked before, which then ends later than its first use:
/// for such a name everything since it was first given counts.
enum YAMLAliasBound {
    /// Bytes of the text with every alias counted as large as what it stands for; saturates.
    static func expandedBytes(of text: String) -> Int {
        var total = 0
        var starts: [String: Int] = [:]
        var sizes: [String: Int] = [:]
        var firstStarts: [String: Int] = [:]
        var repeated: Set<String> = []
        let bytes = Array(text.utf8)
        var index = 0
        var previous = UInt8(ascii: "\n")
        while index < bytes.count {
            let byte = bytes[index]
            let isMark = byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*")
            guard isMark, Self.mayPrecede(previous) else {
                previous = byte
                total = Self.sum(total, 1)
                index += 1
                continue
            }
            var end = index + 1
            while end < bytes.count, Self.isNamePart(bytes[end]) {
                end += 1
            }
            let name = String(decoding: bytes[(index + 1)..<end], as: UTF8.self)
            if byte == UInt8(ascii: "&") {
                starts[name] = total
                if firstStarts[name] != nil { repeated.insert(name) } else { firstStarts[name] = total }
            } else {
                if repeated.contains(name), let start = firstStarts[name] {
                    sizes[name] = total - start
                } else if let start = starts.removeValue(forKey: name) {
                    sizes[name] = max(sizes[name] ?? 0, total - start)
                }
                total = Self.sum(total, sizes[name] ?? 0)
            }
            total = Self.sum(total, end - index)
            previous = UInt8(ascii: "a")
            index = end
        }
        return total
    }

    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (value, overflow) = left.addingReportingOverflow(right)
        return overflow ? Int.max : value
    }

    private static func mayPrecede(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "["),
            UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "?"), UInt8(ascii: "-"):
            true
        default:
            false
        }
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...:
            true
        default:
            false
        }
    }
}
