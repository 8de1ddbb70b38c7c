extension Duration {
    /// Whole microseconds, clamped to what 64 bits hold.
    var microseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max / 4 : product + attoseconds / 1_000_000_000_000
    }

    var wholeSeconds: Int32 { Int32(clamping: self.components.seconds) }
}
