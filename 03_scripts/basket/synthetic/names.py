"""Invented names of products and people, from word lists of our own.

A product's name is house + kind + variant, such as `Marlbeck Golden Beets, Family Size`. The houses
are invented, so no name is one of a real product. Commas, quotation marks and letters beyond ASCII
occur because real catalogues have them and readers of CSV files trip over them.
"""

HOUSES = (
    "Tillbrook",
    "Marlbeck",
    "Farrowdale",
    "Quernstone",
    "Ostwick",
    "Hollenby",
    "Pellgate",
    "Wrenfold",
    "Brindlemoor",
    "Cobbleden",
    "Dunnavale",
    "Eskerly",
    "Fenwarren",
    "Garlholm",
    "Harrowmead",
    "Inglecote",
    "Jessamere",
    "Kelderby",
    "Larchford Row",
    "Mossgarth",
    "Nettlecombe",
    "Oakenshaw Lane",
    "Pinfold & Rye",
    "Rushwick",
    "Sallowfield",
    "Thistlecroft",
    "Umberley",
    "Vinterfjäll",
    "Withycote",
    "Yarrowgate",
    "Zephyr Nook",
    '"Old Tollhouse"',
)

VARIANTS = (
    "", " Classic", ", Family Size", " Organic", " Select", " Small Batch", ", Twin Pack",
    " Original", " Everyday", ' 12" Box', " Nº 7", " Crème",
)  # fmt: skip
PLAIN_HOUSES = 3  # the houses whose products come without a variant first

KINDS = {
    "frozen": (
        "Vegetable Gyoza", "Berry Medley", "Sweet Potato Wedges", "Cheese Ravioli", "Pea Shoots",
        "Mango Cubes", "Spinach Pie", "Rice Bowl", "Cauliflower Crust", "Garlic Flatbread",
        "Bean Burritos", "Corn Niblets", "Waffle Squares", "Lentil Patties", "Peach Sorbet",
        "Vanilla Gelato", "Fudge Pops", "Mini Quiches", "Fish Fingers", "Stir Fry Mix",
        "Potato Rösti", "Mushroom Risotto", "Chicken Pot Pie", "Dumpling Soup",
    ),
    "other": (
        "Gift Basket", "Party Candles", "Travel Kit", "Balloon Set", "Seed Packets",
        "Greeting Cards", "Firelighters", "Picnic Set", "Ribbon Roll", "Spare Batteries",
        "Pocket Umbrella", "Sewing Kit",
    ),
    "bakery": (
        "Sourdough Boule", "Seeded Loaf", "Rye Rounds", "Brioche Buns", "Corn Tortillas",
        "Breakfast Bagels", "Cinnamon Swirls", "Oat Batons", "Pita Pockets", "Almond Croissants",
        "Potato Rolls", "Carrot Cake", "Lemon Loaf", "Focaccia Squares", "Soft Pretzels",
        "English Crumpets", "Naan Rounds", "Fruit Scones",
    ),
    "produce": (
        "Ripe Bananas", "Golden Beets", "Baby Leaf Salad", "Vine Tomatoes", "Crisp Apples",
        "Hand-Picked Strawberries", "Green Avocados", "Bunched Carrots", "Sweet Onions",
        "Garden Cucumbers", "Ruby Grapes", "Juicing Limes", "Young Spinach", "Snap Peas",
        "Bell Peppers", "Crown Broccoli", "Wild Blueberries", "Juicing Lemons", "Flat Parsley",
        "Curly Kale", "Summer Squash", "Gala Melon", "Forest Raspberries", "Root Ginger",
        "Purple Garlic", "Conference Pears", "Clementines", "Celery Hearts", "Button Mushrooms",
        "Fingerling Potatoes", "Jalapeño Peppers",
    ),
    "alcohol": (
        "Pale Ale", "Dry Cider", "Pinot Reserve", "Rosé", "Stout", "Sparkling Brut", "Amber Lager",
        "Juniper Gin", "Spiced Rum", "Malbec", "Wheat Beer", "Herbal Liqueur",
    ),
    "international": (
        "Coconut Curry Paste", "Rice Paper", "Miso Broth", "Harissa", "Tamarind Sauce",
        "Adobo Seasoning", "Soba Noodles", "Black Bean Sauce", "Masala Simmer Sauce", "Nori Sheets",
        "Taco Kit", "Gochujang Glaze", "Plantain Crisps", "Ponzu",
    ),
    "beverages": (
        "Sparkling Water", "Cold Brew", "Orange Nectar", "Green Tea", "Ginger Kombucha",
        "Lemonade", "Coconut Water", "Spring Water", "Breakfast Tea", "Apple Juice",
        "Ground Coffee", "Coffee Pods", "Açaí Nectar", "Grapefruit Soda", "Cola", "Oat Latte",
        "Rooibos", "Tonic", "Carrot Juice", "Root Beer", "Maté", "Hot Cocoa", "Electrolyte Drink",
    ),
    "pets": (
        "Salmon Kibble", "Chicken Cat Pouches", "Dental Chews", "Clumping Litter", "Duck Pâté",
        "Training Treats", "Puppy Biscuits", "Catnip Mouse", "Bird Seed", "Turkey Stew for Dogs",
        "Fish Flakes", "Rope Toy",
    ),
    "dry goods pasta": (
        "Penne", "Red Lentils", "Jasmine Rice", "Spaghetti", "Quinoa", "Marinara", "Couscous",
        "Black Beans", "Fusilli", "Arborio Rice", "Tomato Basil Sauce", "Lasagne Sheets",
        "Wild Rice Blend", "Chickpea Shells", "Farro", "Egg Noodles",
    ),
    "bulk": ("Rolled Oats by Weight", "Dried Mango by Weight", "Mixed Nuts by Weight"),
    "personal care": (
        "Hand Soap", "Mint Toothpaste", "Daily Shampoo", "Body Lotion", "Vitamin C Tablets",
        "Lip Balm", "Cotton Rounds", "Shaving Gel", "Face Wash", "Deodorant", "Sunscreen",
        "Multivitamin Gummies", "Conditioner", "Cough Drops", "Dental Floss", "Protein Powder",
        "Bath Salts", "Hair Oil", "Probiotic Capsules", "Eye Drops", "Hand Cream", "Mouthwash",
    ),
    "meat seafood": (
        "Chicken Thighs", "Ground Turkey", "Salmon Fillet", "Beef Mince", "Pork Loin",
        "Cooked Prawns", "Smoked Bacon", "Lamb Chops", "Cod Loin", "Chicken Sausage",
        "Flank Steak", "Tilapia", "Turkey Breast", "Scallops",
    ),
    "pantry": (
        "Olive Oil", "Peanut Butter", "Strawberry Jam", "Sea Salt", "Plain Flour", "Honey",
        "Dijon Mustard", "Black Peppercorns", "Cider Vinegar", "Mayonnaise", "Cane Sugar",
        "Chocolate Chips", "Ranch Dressing", "Ground Cumin", "Baking Powder", "Salsa Verde",
        "Coconut Oil", "Maple Syrup", "Tahini", "Capers", "Pickled Gherkins", "Vanilla Extract",
        "Smoked Paprika", "Barbecue Sauce",
    ),
    "breakfast": (
        "Granola", "Corn Flakes", "Steel Cut Oats", "Pancake Mix", "Muesli", "Oatmeal Pots",
        "Honey Hoops", "Bran Squares", "Breakfast Biscuits", "Puffed Rice", "Porridge Sachets",
        "Almond Clusters",
    ),
    "canned goods": (
        "Chopped Tomatoes", "Chickpeas", "Tuna Chunks", "Vegetable Broth", "Sweetcorn",
        "Kidney Beans", "Pumpkin Purée", "Pineapple Rings", "Tomato Soup", "Green Beans",
        "Coconut Milk", "Black Olives", "Sardines", "Chilli Beans", "Peach Halves", "Bone Broth",
    ),
    "dairy eggs": (
        "Whole Milk", "Free Range Eggs", "Greek Yogurt", "Salted Butter", "Cheddar Slices",
        "Almond Milk", "Cream Cheese", "Mozzarella Pearls", "Half and Half", "Soy Drink",
        "Strawberry Yogurt", "Cottage Cheese", "String Cheese", "Sour Cream", "Gruyère",
        "Kefir", "Oat Drink", "Feta", "Whipping Cream", "Vanilla Skyr",
    ),
    "household": (
        "Paper Towels", "Dish Soap", "Laundry Liquid", "Bin Liners", "Toilet Tissue", "Sponges",
        "Glass Cleaner", "Foil Wrap", "Light Bulbs", "Freezer Bags", "Dishwasher Tabs",
        "Napkins", "Air Freshener", "Paper Plates", "Fabric Softener", "Floor Wipes",
    ),
    "babies": (
        "Pear Purée", "Nappies", "Teething Rusks", "Infant Formula", "Baby Wipes", "Carrot Pouch",
        "Oat Cereal", "Yogurt Melts", "Baby Lotion", "Toddler Puffs", "Training Cup", "Bibs",
    ),
    "snacks": (
        "Sea Salt Crisps", "Trail Mix", "Oat Bars", "Dark Chocolate", "Cheese Crackers",
        "Popcorn", "Rice Cakes", "Gummy Bears", "Roasted Almonds", "Pretzel Twists",
        "Fruit Leather", "Shortbread", "Tortilla Chips", "Beef Jerky", "Fig Rolls",
        "Peanut Brittle", "Seaweed Snacks", "Ginger Biscuits", "Mint Gum", "Apple Chips",
        "Caramel Wafers", "Pistachios", "Veggie Straws", "Cookie Thins",
        "Jalapeño Crisps",
    ),
    "deli": (
        "Classic Hummus", "Roast Turkey Slices", "Guacamole", "Potato Salad", "Fresh Tortellini",
        "Firm Tofu", "Prosciutto", "Pesto", "Lentil Soup", "Olive Mix", "Chicken Salad", "Tzatziki",
        "Smoked Ham", "Veggie Wrap",
    ),
    "missing": (
        "Assorted Item", "Mixed Selection", "Seasonal Special", "Weekly Surprise", "Counter Item",
        "Limited Edition", "Sample Pack", "Market Find", "Bundle", "Cook's Choice", "Refill",
        "Tasting Box",
    ),
}  # fmt: skip

WOMEN = (
    "Ada", "Agnes", "Alba", "Alma", "Amira", "Anouk", "Astrid", "Beatriz", "Bella", "Bianca",
    "Bridget", "Camila", "Carmen", "Celia", "Chiara", "Clara", "Cora", "Daphne", "Delia", "Dina",
    "Edith", "Elena", "Elsa", "Emine", "Esther", "Eva", "Fatima", "Fiona", "Flora", "Freya",
    "Gemma", "Greta", "Hana", "Harriet", "Hazel", "Helga", "Ida", "Imani", "Ines", "Ingrid",
    "Iris", "Isla", "Ivy", "Jana", "Jasmin", "Joanna", "Juno", "Karin", "Keiko", "Lara", "Leila",
    "Lena", "Lila", "Livia", "Lotte", "Lucia", "Mabel", "Maeve", "Mara", "Marta", "Mei", "Mina",
    "Mira", "Nadia", "Naomi", "Nell", "Nina", "Noor", "Nora", "Odette", "Olga", "Orla", "Paloma",
    "Petra", "Phoebe", "Pia", "Priya", "Ramona", "Renata", "Rhea", "Rosa", "Runa", "Sabine",
    "Salma", "Selma", "Sigrid", "Sofia", "Stella", "Sunita", "Tamar", "Tessa", "Thea", "Una",
    "Ursula", "Vera", "Viola", "Wilma", "Xenia", "Yara", "Yuki", "Zadie", "Zelda", "Zora",
)  # fmt: skip

MEN = (
    "Abel", "Adil", "Aiden", "Alan", "Alfred", "Amos", "Anton", "Arlo", "Arturo", "Axel", "Basil",
    "Bernard", "Bjorn", "Boris", "Bruno", "Carl", "Casper", "Cedric", "Cyril", "Damian", "Dario",
    "Diego", "Dmitri", "Edgar", "Eero", "Emil", "Enzo", "Erik", "Ezra", "Felix", "Fergus", "Fritz",
    "Gareth", "Gideon", "Gino", "Gustav", "Hamid", "Hank", "Hans", "Harvey", "Hector", "Hugo",
    "Ian", "Idris", "Igor", "Ivan", "Jabari", "Jakob", "Jonas", "Jorge", "Jude", "Kaito", "Karl",
    "Kenji", "Kofi", "Kurt", "Lars", "Leo", "Levi", "Linus", "Lorenzo", "Lucas", "Magnus", "Malik",
    "Marco", "Milo", "Mosi", "Nash", "Nico", "Niels", "Nigel", "Oleg", "Omar", "Oscar", "Otto",
    "Pablo", "Pavel", "Percy", "Quentin", "Rafael", "Rajesh", "Remy", "Rocco", "Roland", "Rufus",
    "Samir", "Sanjay", "Saul", "Sergio", "Silas", "Sven", "Tariq", "Theo", "Tomas", "Tobias",
    "Ulrich", "Umar", "Vasco", "Victor", "Wendell", "Xavier", "Yannick", "Yusuf", "Zane",
)  # fmt: skip

SURNAME_STARTS = (
    "Ash", "Bark", "Bram", "Brook", "Carr", "Clay", "Cole", "Crane", "Dal", "Dray", "East", "Elm",
    "Fair", "Fen", "Gar", "Glen", "Hart", "Hazel", "Hol", "Keld", "Lang", "Lin", "Lock", "Mar",
    "Mill", "North", "Oak", "Pem", "Quill", "Raven", "Rook", "Sand", "Shel", "Stan", "Thorn",
    "Under", "Wal", "West", "Whit", "Win",
)  # fmt: skip

SURNAME_ENDS = (
    "beck", "berg", "bourne", "bury", "by", "combe", "cott", "croft", "dale", "den", "field",
    "ford", "gate", "grove", "ham", "hurst", "ley", "low", "man", "mere", "more", "ridge", "son",
    "stead", "worth",
)  # fmt: skip

SURNAMES = tuple(start + end for start in SURNAME_STARTS for end in SURNAME_ENDS)


def product_name(department: str, rank: int) -> str:
    """Name the department's product of this popularity rank (from 0); each rank has its own name.

    The kind changes fastest, then the house, so that the best-selling products of a department
    differ in kind; within a kind and house each further rank has another variant.
    """
    kinds = KINDS[department]
    turn, kind = divmod(rank, len(kinds))
    round_, place = divmod(turn, len(HOUSES))
    if round_ >= len(VARIANTS):
        raise ValueError(f"{department}: no name left for rank {rank:,}; add kinds or variants")
    house = (place + kind * 5 + len(department)) % len(HOUSES)
    variant = round_ if place < PLAIN_HOUSES else (round_ + place * 7) % len(VARIANTS)
    return f"{HOUSES[house]} {kinds[kind]}{VARIANTS[variant]}"
