// bfloat16 (to come)
