extension [UInt8] {
    package init(copying bytes: borrowing Span<UInt8>) {
        // The buffer does not leave the closure.
        self = unsafe bytes.withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }
}
