package gateway

func headerClasses() []failure { return nil }
