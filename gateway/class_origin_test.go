package gateway

func originClasses() []failure { return nil }
