package gateway

func pathClasses() []failure { return nil }
