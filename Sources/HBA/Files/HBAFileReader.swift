/// How the files of a policy are read: this room opens none itself.
package struct HBAFileReader: Sendable {
    /// The bytes of a file.
    package let read: @Sendable (_ path: String) -> Result<[UInt8], HBAFileProblem>
    /// The names of the files in a folder (no folders), in any order.
    package let list: @Sendable (_ directory: String) -> Result<[String], HBAFileProblem>

    package init(
        read: @escaping @Sendable (_ path: String) -> Result<[UInt8], HBAFileProblem>,
        list: @escaping @Sendable (_ directory: String) -> Result<[String], HBAFileProblem>
    ) {
        self.read = read
        self.list = list
    }
}

/// Why a file or a folder cannot be read.
package enum HBAFileProblem: Error, Sendable, Hashable {
    case missing
    /// With the reason of the system.
    case unreadable(String)
    case tooLarge
}

extension HBAFileProblem: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing: "it does not exist"
        case .unreadable(let reason): reason
        case .tooLarge: "it is longer than \(HBAPolicy.maximumTextSize) bytes"
        }
    }
}
