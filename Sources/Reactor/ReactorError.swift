import CReactor
import Glibc

/// A system call failed.
public struct ReactorError: Error, Sendable, CustomStringConvertible {
    /// A positive errno.
    public let code: Int32
    public let operation: String

    package init(code: Int32, operation: String) {
        self.code = code
        self.operation = operation
    }

    public var description: String { "\(self.operation): \(SystemErrorText.of(self.code))" }

    static func check(_ result: Int32, doing operation: @autoclosure () -> String) throws(ReactorError) -> Int32 {
        if result < 0 { throw ReactorError(code: -result, operation: operation()) }
        return result
    }
}

/// The system's own words for an errno.
package enum SystemErrorText {
    package static func of(_ code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
