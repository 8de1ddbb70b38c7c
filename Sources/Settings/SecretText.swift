/// A password or password verifier. Describes itself as a mask everywhere (print, string interpolation, reflection,
/// debugger dumps through `CustomReflectable`); whoever needs the content asks for ``bytes``. Compared in constant time
/// for equal lengths. An immutable value, free to cross threads.
package struct SecretText: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The secret in UTF-8. Callers put it in no message, log line or metric.
    package let bytes: [UInt8]

    package init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    package var isEmpty: Bool { self.bytes.isEmpty }

    package var description: String { self.isEmpty ? "" : Self.mask }

    package var debugDescription: String { self.description }

    package var customMirror: Mirror { Mirror(self, children: []) }

    static let mask = "********"

    package static func == (left: SecretText, right: SecretText) -> Bool {
        guard left.bytes.count == right.bytes.count else { return false }
        var difference: UInt8 = 0
        for (first, second) in zip(left.bytes, right.bytes) {
            difference |= first ^ second
        }
        return difference == 0
    }

    /// The content as text, for checks of its shape in this room only.
    var revealed: String { String(decoding: self.bytes, as: UTF8.self) }
}
