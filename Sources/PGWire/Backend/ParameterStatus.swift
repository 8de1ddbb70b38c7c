/// A server's report of what a parameter of the session is.
package enum ParameterStatus {
    /// - Returns: nil where the body does not hold two texts in UTF-8.
    package static func decode(_ body: borrowing Span<UInt8>) -> (name: String, value: String)? {
        var reader = ByteReader([UInt8](copying: body))
        guard let name = try? reader.cString(), let value = try? reader.cString() else { return nil }
        return (name, value)
    }
}
